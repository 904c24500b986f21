/** What hangs beside the newest picture: its words, how far it is, and what to do with it. */

import { cancel, download, retry } from "./actions.js";
import { openCompare, seedsOf } from "./compare.js";
import { h, labelledButton } from "./dom.js";
import { openEditor } from "./editor.js";
import { duration } from "./format.js";
import { hasEnded, store } from "./store.js";
import { progressWords } from "./tile.js";

const OUTLINED = "button.quiet.outlined";

export class Placard {
  #face = "";

  constructor() {
    this.element = h("div.placard", { hidden: true });
  }

  /** Show a job, or nothing. */
  update(job) {
    this.element.hidden = !job || job.state === "failed";
    if (this.element.hidden) return;
    const face = `${job.id} ${job.state}`;
    if (face !== this.#face) this.#build(job, face);
    if (!hasEnded(job)) this.standing.textContent = progressWords(job);
  }

  #build(job, face) {
    this.#face = face;
    const done = job.state === "succeeded";
    this.standing = h("p.standing", {}, done ? facts(job) : "");
    const buttons = done ? doneButtons(job) : [labelledButton("close", "Cancel", () => cancel(job), OUTLINED)];
    this.element.replaceChildren(h("p.words", {}, job.prompt), this.standing, h("div.buttons", {}, buttons));
  }
}

function facts(job) {
  const time = job.started_at ? `drawn in ${duration(job.finished_at - job.started_at)}` : "";
  const seed = job.pictures.length === 1 ? `seed ${job.pictures[0].seed}` : `seeds from ${job.seed}`;
  return [job.model, seed, time].filter(Boolean).join(" · ");
}

function doneButtons(job) {
  const [picture, ...others] = job.pictures;
  const one = others.length === 0;
  const editable = one && store.models().get(job.model)?.img2img;
  return [
    one && labelledButton("download", "Download", () => download(job, picture), OUTLINED),
    labelledButton("retry", "Retry", () => retry(job), OUTLINED),
    editable && labelledButton("edit", "Edit", () => openEditor(job, picture), OUTLINED),
    !one && labelledButton("compare", "Compare seeds", () => openCompare(seedsOf(job)), OUTLINED),
  ];
}
