/** A better prompt, shown as what it changes, used only when accepted, and undoable. */

import { json } from "./api.js";
import { announce } from "./announce.js";
import { differences } from "./diff.js";
import { h, labelledButton } from "./dom.js";
import { faultBox } from "./inputs.js";
import { store } from "./store.js";

export class Enhancement {
  #read;
  #write;
  #before = null;
  #busy = null;

  /** `read()` and `write(text)` are the prompt's. */
  constructor(read, write) {
    this.#read = read;
    this.#write = write;
    this.button = labelledButton("spark", "Enhance", () => this.#ask());
    this.panel = h("div.suggestion", { hidden: true });
  }

  /** Whether an enhancer is on the bus. */
  offer() {
    const there = Boolean(store.serving("enhancer"));
    this.button.disabled = !there || this.#busy !== null;
    this.button.title = there ? "Have the prompt written out in more detail" : "No enhancer is on the bus, so prompts are drawn as you write them";
  }

  /** The prompt was changed by hand: what was suggested for the old one goes. */
  outdate() {
    this.#busy?.abort();
    this.#show();
  }

  async #ask() {
    const prompt = this.#read().trim();
    if (!prompt) return;
    const control = new AbortController();
    this.#busy = control;
    this.offer();
    this.#show(h("p.hint", { role: "status" }, "Thinking of a better way to say it…"),
      h("div.actions", {}, labelledButton("close", "Never mind", () => this.outdate())));
    try {
      const answer = await json("/v1/prompts/enhance", { method: "POST", body: { prompt }, signal: control.signal });
      this.#suggest(prompt, answer.enhanced_prompt);
    } catch (fault) {
      if (fault.name === "AbortError") return;
      this.#show(faultBox(fault), h("div.actions", {}, labelledButton("close", "Close", () => this.#show())));
    } finally {
      if (this.#busy === control) this.#busy = null;
      this.offer();
    }
  }

  #suggest(prompt, suggested) {
    const difference = h("p.difference", { "aria-label": "What changes" });
    const text = h("textarea", { "aria-label": "Suggested prompt", oninput: () => mark(difference, prompt, text.value) });
    text.value = suggested;
    mark(difference, prompt, suggested);
    this.#show(difference, text, h("div.actions", {},
      h("button.primary", { type: "button", onclick: () => this.#accept(prompt, text.value.trim()) }, "Use this"),
      h("button.quiet", { type: "button", onclick: () => this.#show() }, "Keep mine")));
    announce("A suggestion for the prompt is there");
  }

  #accept(before, after) {
    this.#before = before;
    this.#write(after || before);
    this.#show(h("div.actions", {}, labelledButton("undo", "Undo: back to my own words", () => {
      this.#write(this.#before);
      this.#show();
    })));
  }

  #show(...parts) {
    this.panel.replaceChildren(...parts);
    this.panel.hidden = parts.length === 0;
  }
}

function mark(element, before, after) {
  const tags = { same: "span", added: "ins", removed: "del" };
  element.replaceChildren(...differences(before, after).map(([kind, text]) => h(tags[kind], {}, text)));
}
