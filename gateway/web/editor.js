/** Change a finished picture: all of it, or only where one paints. */

import { drawFrom } from "./actions.js";
import { announce } from "./announce.js";
import { byId, h, iconButton, labelledButton } from "./dom.js";
import { faultBox, labelled, slider } from "./inputs.js";
import { MaskCanvas } from "./mask.js";
import { hide, show } from "./pictures.js";
import { store } from "./store.js";

const WHOLE = 0.6;
const PAINTED = 0.95;

/** Open the editor on a picture of `job`. */
export function openEditor(job, picture) {
  const dialog = byId("editor");
  const image = h("img", { alt: job.prompt });
  const mask = new MaskCanvas(picture.width, picture.height);
  const frame = h("div.frame", {}, image, mask.canvas);
  frame.style.setProperty("--ratio", picture.width / picture.height);
  frame.style.setProperty("--natural", `${picture.width}px`);
  show(image, job.id, picture.index).catch(() => {});
  dialog.replaceChildren(h("div.view-stage", {}, frame), side(job, picture, mask, dialog));
  dialog.onclose = () => { hide(image); dialog.replaceChildren(); };
  dialog.showModal();
}

function side(job, picture, mask, dialog) {
  const model = store.models().get(job.model);
  const state = { strength: WHOLE, chosen: false };
  const prompt = h("textarea", { "aria-label": "What it should show", rows: 4 });
  prompt.value = job.prompt;
  const fault = h("div");
  const strength = h("div");
  const setStrength = (value) => strength.replaceChildren(slider("How much may change",
    { min: 0.05, max: 1, step: 0.05, value, format: (share) => `${Math.round(share * 100)} %` },
    (wanted) => Object.assign(state, { strength: wanted, chosen: true })));
  const suggest = (value) => { if (!state.chosen) { state.strength = value; setStrength(value); } };
  setStrength(state.strength);
  mask.onpaint = () => suggest(mask.isEmpty ? WHOLE : PAINTED);

  const submit = h("button.primary", { type: "submit" }, "Draw the change");
  const form = h("form.view-side", { onsubmit: async (event) => {
    event.preventDefault();
    submit.disabled = true;
    fault.replaceChildren();
    try {
      await drawFrom(job, await requestOf(picture, prompt.value.trim(), state.strength, mask));
      dialog.close();
    } catch (wrong) {
      fault.replaceChildren(faultBox(wrong));
      submit.disabled = false;
    }
  } },
    h("div.view-head", {}, h("span", {}, "Edit"), iconButton("close", "Close", () => dialog.close())),
    h("div.prompt-field", {}, labelled("What it should show", prompt)),
    model?.inpaint ? paintTools(mask) : h("p.hint", {}, `${job.model} changes whole pictures; it takes no mask.`),
    strength,
    h("div.submit", {}, fault, submit));
  if (!model?.inpaint) mask.canvas.hidden = true;
  return form;
}

function paintTools(mask) {
  return h("div", {},
    h("p.hint", {}, "Paint over what should change. Unpainted, the whole picture does."),
    slider("Brush", { min: 2, max: 40, step: 1, value: mask.brush, format: (share) => `${share} %` }, (value) => { mask.brush = value; }),
    h("div.tools", {},
      labelledButton("undo", "Undo", () => { mask.undo(); announce("Last stroke undone"); }),
      labelledButton("close", "Clear", () => { mask.clear(); announce("Nothing painted"); }),
      labelledButton("compare", "Invert", () => { mask.invert(); announce("Painted and unpainted swapped"); })));
}

async function requestOf(picture, prompt, strength, mask) {
  const asked = { prompt, index: picture.index, strength };
  if (!mask.isEmpty) asked.mask_image = await mask.dataUrl();
  return asked;
}
