// Runs before the first paint, so that a chosen theme does not flash; everything else is a module.
(() => {
  try {
    const chosen = JSON.parse(localStorage.getItem("easel.theme"));
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be forbidden; then the system's theme it is.
  }
})();
