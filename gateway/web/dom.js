/** Elements in one expression, and icons. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: `h("button.primary", { type: "button", onclick }, "Draw")`.
 * Names that begin with `on` are listeners, `ref`-less properties that the element has are set, the rest are attributes;
 * null, undefined and false leave an attribute out.
 */
export function h(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Element by id; the page's own, so it is there. */
export const byId = (id) => document.getElementById(id);

const ICONS = {
  download: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M5 19.5h14",
  retry: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4.2h-4.2",
  edit: "m5 19 1-4L16.5 4.5a1.8 1.8 0 0 1 2.6 0l.4.4a1.8 1.8 0 0 1 0 2.6L9 18Z",
  reuse: "M4 12h13m0 0-5-5m5 5-5 5M20 5v14",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  close: "m6 6 12 12M18 6 6 18",
  left: "m14.5 5-7 7 7 7",
  right: "m9.5 5 7 7-7 7",
  copy: "M9 9h10v10H9zM15 9V5H5v10h4",
  check: "m5 12.5 4.5 4.5L19 7.5",
  compare: "M4 5h7v14H4zM13 5h7v14h-7z",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M12 12h.01",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 17M15.5 9.5h.01",
  spark: "M12 4c.6 4.6 3.4 7.4 8 8-4.6.6-7.4 3.4-8 8-.6-4.6-3.4-7.4-8-8 4.6-.6 7.4-3.4 8-8Z",
  undo: "M8 5 4 9l4 4M4 9h9.5a5.5 5.5 0 0 1 0 11H9",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1",
  send: "M12 19V5m0 0-6 6m6-6 6 6",
  search: "M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM20 20l-4.3-4.3",
};

/** A line icon of 1.25 em, hidden from screen readers: its button says what it does. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with an icon and, where there is room, its words. */
export function iconButton(name, label, onclick, spec = "button.quiet") {
  return h(spec, { type: "button", onclick, title: label, "aria-label": label }, icon(name));
}

/** A button with an icon and its words beside it. */
export function labelledButton(name, label, onclick, spec = "button.quiet") {
  return h(spec, { type: "button", onclick }, icon(name), h("span", {}, label));
}
