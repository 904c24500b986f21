/** What a screen reader hears, and the passing notes that everybody sees. */

import { byId, h } from "./dom.js";

const PAUSE_MS = 2000;
let last = 0;
let timer = 0;

/** Say something at most every two seconds; the newest wins. */
export function announce(text) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    last = Date.now();
    byId("status").textContent = text;
  }, Math.max(0, last + PAUSE_MS - Date.now()));
}

/** A note at the foot of the page for a few seconds; heard too. */
export function note(text, { action, label, lasting = 5000 } = {}) {
  const dismiss = () => element.remove();
  const element = h("div.note", {}, h("span", {}, text),
    action && h("button.link", { type: "button", onclick: () => { dismiss(); action(); } }, label));
  byId("notes").append(element);
  setTimeout(dismiss, lasting);
  announce(text);
  return dismiss;
}
