/** Puts the page together. */

import { cancel, newestToCancel } from "./actions.js";
import { reuse, setPrompt, startComposer, submit } from "./composer.js";
import { forgetChat, send, startChat } from "./chat.js";
import { startDevices } from "./devices.js";
import { byId, icon } from "./dom.js";
import { shownPictures, startGallery } from "./gallery.js";
import { startKeys } from "./keys.js";
import { recall, remember } from "./memory.js";
import { store } from "./store.js";
import { follow } from "./stream.js";
import { choose, isChatting, startTabs } from "./tabs.js";
import { openFromAddress, startViewer } from "./viewer.js";

function startTheme() {
  const button = byId("theme-button");
  button.append(icon("sun"));
  button.addEventListener("click", () => {
    const dark = recall("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const next = dark === "dark" ? "light" : "dark";
    remember("theme", next);
    document.documentElement.dataset.theme = next;
  });
}

function startKeyboard() {
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      if (isChatting()) send();
      else submit();
    }
    if (event.key === "Escape" && !document.querySelector("dialog[open], [popover]:popover-open")) {
      const job = newestToCancel();
      if (job) cancel(job);
    }
    if (event.key.startsWith("Arrow")) walkTiles(event);
  });
}

/** Arrows move between the pictures on the wall. */
function walkTiles(event) {
  const from = document.activeElement?.closest?.(".tile");
  if (!from || document.querySelector("dialog[open]")) return;
  const all = [...document.querySelectorAll(".tile.done")];
  const at = all.indexOf(from);
  const box = from.getBoundingClientRect();
  const rows = { ArrowUp: -1, ArrowDown: 1 };
  const next = event.key === "ArrowRight" ? all[at + 1] : event.key === "ArrowLeft" ? all[at - 1] : nearestInRow(all, at, box, rows[event.key]);
  if (!next) return;
  event.preventDefault();
  next.querySelector("button").focus();
  next.scrollIntoView({ block: "nearest" });
}

function nearestInRow(all, at, box, by) {
  const middle = box.left + box.width / 2;
  let best = null;
  for (let position = at + by; all[position]; position += by) {
    const other = all[position].getBoundingClientRect();
    if (Math.abs(other.top - box.top) < 4) continue;
    if (best && Math.abs(other.top - best.top) > 4) break;
    const distance = Math.abs(other.left + other.width / 2 - middle);
    if (!best || distance < best.distance) best = { element: all[position], distance, top: other.top };
  }
  return best?.element;
}

function useIdea(prompt) {
  choose("create");
  setPrompt(prompt);
  submit();
}

startTheme();
startComposer();
startGallery(useIdea);
startViewer((job, picture) => { choose("create"); reuse(job, picture); }, shownPictures);
startDevices();
startChat();
startTabs();
startKeyboard();
const beginAnew = follow("/page/events", {
  event: (name, data) => store.receive(name, data),
  lost: (fault) => store.setLine("lost", fault),
});
startKeys(() => { store.clear(); forgetChat(); beginAnew(); });
store.on("jobs", openOnce);

/** A link to a picture opens it as soon as its job is known. */
function openOnce() {
  if (location.hash) openFromAddress();
}
