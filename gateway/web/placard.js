/** What hangs beside the newest picture: its words, how far it is, and what to do with it. */

import { cancel, download, retry } from "./actions.js";
import { h, labelledButton } from "./dom.js";
import { duration } from "./format.js";
import { hasEnded } from "./store.js";
import { progressWords } from "./tile.js";

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
    const buttons = done ? doneButtons(job) : [labelledButton("close", "Cancel", () => cancel(job), "button.quiet.outlined")];
    this.element.replaceChildren(h("p.words", {}, job.prompt), this.standing, h("div.buttons", {}, buttons));
  }
}

function facts(job) {
  const time = job.started_at ? `drawn in ${duration(job.finished_at - job.started_at)}` : "";
  const seed = job.pictures.length === 1 ? `seed ${job.pictures[0].seed}` : `seeds from ${job.seed}`;
  return [job.model, seed, time].filter(Boolean).join(" · ");
}

function doneButtons(job) {
  return [
    job.pictures.length === 1 && labelledButton("download", "Download", () => download(job, job.pictures[0]), "button.quiet.outlined"),
    labelledButton("retry", "Retry", () => retry(job), "button.quiet.outlined"),
  ];
}
