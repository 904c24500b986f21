/** One picture on the wall: waiting, forming, there, or why it is not. */

import { cancel, download, retry } from "./actions.js";
import { h, iconButton, labelledButton } from "./dom.js";
import { plural, timeLeft } from "./format.js";
import { hide, show, SMALL, WHOLE } from "./pictures.js";
import { hasEnded, secondsLeft } from "./store.js";

/** A tile for picture `index` of `job`; call `update` whenever the job changed. */
export class Tile {
  constructor(job, index, open) {
    this.job = job;
    this.index = index;
    this.preview = null;
    this.near = false;
    this.large = false;
    this.face = "";
    this.open = open;
    this.element = h("figure.tile", { "data-job": job.id, "data-index": index });
    this.element.tile = this;
    this.update(job);
  }

  get picture() {
    return this.job.pictures.find((picture) => picture.index === this.index);
  }

  update(job) {
    this.job = job;
    const face = job.state === "succeeded" ? "done" : job.state === "failed" ? "failed" : "forming";
    const shape = this.picture ?? job;
    this.element.style.setProperty("--ratio", (shape.width / shape.height).toFixed(4));
    if (face !== this.face) this.build(face);
    if (face === "forming") this.showProgress();
  }

  build(face) {
    const before = this.face;
    this.face = face;
    const { element } = this;
    if (face === "forming") this.buildForming();
    else if (face === "done") this.buildDone(before === "forming");
    else this.buildFailed();
    element.classList.remove("forming", "waiting", "done", "failed");
    element.classList.add(face);
  }

  buildForming() {
    this.words = h("p");
    this.bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
    const stop = iconButton("close", "Cancel", () => cancel(this.job), "button.quiet");
    this.element.replaceChildren(h("figcaption.veil", {}, this.words), this.bar, h("div.quick", {}, this.index === 0 && stop));
  }

  showProgress() {
    const { job, element } = this;
    const share = job.total_steps ? job.step / job.total_steps : 0;
    element.classList.toggle("waiting", job.state === "queued");
    element.style.setProperty("--left", (1 - share).toFixed(3));
    this.bar.value = share;
    this.words.textContent = progressWords(job);
    this.showPreview(job.previews[this.index]);
  }

  showPreview(preview) {
    if (!preview || preview === this.shownPreview) return;
    this.shownPreview = preview;
    const bytes = Uint8Array.from(atob(preview.data), (letter) => letter.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], { type: preview.content_type }));
    if (!this.preview) {
      this.preview = h("img.preview", { alt: "" });
      this.element.prepend(this.preview);
    }
    const old = this.preview.src;
    this.preview.src = url;
    if (old) URL.revokeObjectURL(old);
  }

  buildDone(wasForming) {
    const { job, element } = this;
    this.image = h("img.picture", { alt: job.prompt, decoding: "async" });
    const caption = h("figcaption.veil", {}, h("p", {}, job.prompt));
    const quick = h("div.quick", {},
      iconButton("download", "Download", () => download(this.job, this.picture)),
      iconButton("retry", "Draw again with a new seed", () => retry(this.job)));
    const opener = h("button.open", { type: "button", "aria-label": `Open: ${job.prompt}`, onclick: () => this.open(job, this.index) });
    element.replaceChildren(...(wasForming && this.preview ? [this.preview] : []), this.image, opener, caption, quick);
    this.setNear(this.near || wasForming);
  }

  buildFailed() {
    const { job } = this;
    this.element.replaceChildren(
      h("p.said", {}, job.error || "It failed without a reason."),
      h("p", {}, `“${job.prompt}”`),
      h("div.actions", {}, labelledButton("retry", "Try again", () => retry(job))));
  }

  /** Whether it is shown so large that the small form does not do. */
  setLarge(large) {
    if (large === this.large) return;
    this.large = large;
    if (large && this.near) this.setNear(true);
  }

  /** Whether it is on the screen or close: only then is the picture in memory. */
  setNear(near) {
    this.near = near;
    if (this.face !== "done") return;
    if (!near) hide(this.image);
    else show(this.image, this.job.id, this.index, this.large ? WHOLE : SMALL).then(() => this.dropPreview(), (fault) => this.missing(fault));
  }

  dropPreview() {
    if (!this.preview || !this.image.classList.contains("shown")) return;
    const { preview } = this;
    this.preview = null;
    setTimeout(() => { URL.revokeObjectURL(preview.src); preview.remove(); }, 600);
  }

  missing(fault) {
    delete this.image.dataset.shows;
    if (fault.status === 404) this.element.querySelector(".veil").replaceChildren(h("p", {}, fault.message));
  }

  remove() {
    if (this.image) hide(this.image);
    if (this.preview) URL.revokeObjectURL(this.preview.src);
    this.element.remove();
  }
}

/** A job's state for people, in a few words. */
export function progressWords(job) {
  if (job.state === "queued") return job.ahead ? `Waiting · ${plural(job.ahead, "job")} ahead` : "Waiting for a free worker";
  if (hasEnded(job)) return job.state;
  if (job.enhancing) return "Enhancing the prompt";
  if (!job.step) return "Starting";
  if (job.step >= job.total_steps) return "Finishing";
  const left = secondsLeft(job);
  return `Step ${job.step} of ${job.total_steps}${left === null ? "" : ` · ${timeLeft(left)}`}`;
}
