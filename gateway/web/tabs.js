/** The two ways to ask: a form and a conversation. Remembered, and walked with the arrows. */

import { byId } from "./dom.js";
import { recall, remember } from "./memory.js";
import { store } from "./store.js";

const NAMES = ["create", "chat"];

export function startTabs() {
  for (const name of NAMES) {
    byId(`tab-${name}`).addEventListener("click", () => choose(name));
    byId(`tab-${name}`).addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      choose(NAMES[1 - NAMES.indexOf(name)]).focus();
    });
  }
  offer();
  store.on("line", offer);
}

/** The conversation is there where the gateway takes one. */
function offer() {
  const offered = Boolean(store.gateway?.chat);
  document.querySelector(".tabs").hidden = !offered;
  show(offered && NAMES.includes(recall("tab")) ? recall("tab") : NAMES[0]);
}

/** Show a tab from now on; returns its button. */
export function choose(name) {
  remember("tab", name);
  return show(name);
}

function show(name) {
  for (const other of NAMES) {
    const tab = byId(`tab-${other}`);
    tab.setAttribute("aria-selected", String(other === name));
    tab.tabIndex = other === name ? 0 : -1;
    byId(`panel-${other}`).hidden = other !== name;
  }
  return byId(`tab-${name}`);
}

/** Whether the conversation is what is shown. */
export const isChatting = () => !byId("panel-chat").hidden;
