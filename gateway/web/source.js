/** A picture of one's own to start from: chosen, dropped or pasted. */

import { note } from "./announce.js";
import { byId, h, iconButton, labelledButton } from "./dom.js";
import { slider } from "./inputs.js";

const STRENGTH = 0.7;
const MAX_BYTES = 20 << 20;
const TYPES = ["image/png", "image/jpeg", "image/webp"];

export class SourcePicture {
  #file = null;
  #strength = STRENGTH;
  #offered = false;
  #changed;

  constructor(changed) {
    this.#changed = changed;
    this.input = h("input", { type: "file", accept: TYPES.join(","), hidden: true, onchange: () => this.take(this.input.files[0]) });
    this.button = labelledButton("image", "Start from a picture", () => this.input.click());
    this.panel = h("div.source", { hidden: true });
    document.body.append(this.input);
    this.#listen();
  }

  /** Whether the model can, and why not. */
  offer(model) {
    this.#offered = Boolean(model?.img2img);
    this.button.disabled = !this.#offered;
    this.button.title = this.#offered ? "PNG, JPEG or WebP; dropping or pasting one works too"
      : model ? `${model.id} draws from words only` : "No worker is connected yet";
    if (!this.#offered) this.drop();
  }

  take(file) {
    if (!file || !this.#offered) return;
    if (!TYPES.includes(file.type)) { note("That is not a PNG, JPEG or WebP picture"); return; }
    if (file.size > MAX_BYTES) { note(`That picture has more than ${MAX_BYTES >> 20} MB`); return; }
    this.drop();
    this.#file = file;
    const image = h("img", { alt: "", src: URL.createObjectURL(file) });
    const strength = slider("How much may change", { min: 0.05, max: 1, step: 0.05, value: this.#strength, format: (share) => `${Math.round(share * 100)} %` },
      (value) => { this.#strength = value; });
    strength.className = "wide";
    this.panel.replaceChildren(image, h("span", {}, "Starts from this picture"), iconButton("close", "Without this picture", () => this.drop()), strength);
    this.panel.hidden = false;
    this.#changed();
  }

  drop() {
    const image = this.panel.querySelector("img");
    if (image) URL.revokeObjectURL(image.src);
    this.#file = null;
    this.input.value = "";
    this.panel.replaceChildren();
    this.panel.hidden = true;
  }

  /** Submit `asked` with the picture, if there is one. Throws ApiError. */
  async draw(asked, submit) {
    if (!this.#file) return submit(asked);
    return submit({ ...asked, init_image: await dataUrl(this.#file), strength: this.#strength });
  }

  #listen() {
    addEventListener("dragover", (event) => { event.preventDefault(); byId("create").parentElement.classList.add("dropping"); });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) this.#dropped(); });
    addEventListener("drop", (event) => { event.preventDefault(); this.#dropped(); this.take(event.dataTransfer.files[0]); });
    byId("create").addEventListener("paste", (event) => this.take(event.clipboardData.files[0]));
  }

  #dropped() {
    byId("create").parentElement.classList.remove("dropping");
  }
}

/** A file as the job routes take it. */
export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
