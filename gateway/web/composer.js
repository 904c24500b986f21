/** The form: what to draw and how, from what the live workers offer. */

import { draw } from "./actions.js";
import { byId, h, icon, iconButton, labelledButton } from "./dom.js";
import { change, changeModel, draft, requestOf } from "./draft.js";
import { Enhancement } from "./enhance.js";
import { faultBox, labelled, radioTiles, slider } from "./inputs.js";
import { shapesOf } from "./sizes.js";
import { SourcePicture } from "./source.js";
import { store } from "./store.js";

const COUNTS = [1, 2, 4, 8];
const SHAPE_PIXELS = 26;
const MAX_SEED = 2 ** 32 - 1;

let parts = null;
/** What the settings were built for, so that announcements every second do not rebuild them under the user's hands. */
let builtFor = "";

export function startComposer() {
  const form = byId("create");
  const prompt = h("textarea", { id: "prompt", rows: 3, placeholder: "Describe a picture", "aria-label": "Prompt", spellcheck: "true",
    oninput: () => { change({ prompt: prompt.value }); parts.enhancement.outdate(); ready(); } });
  prompt.value = draft.prompt;
  parts = {
    prompt,
    enhancement: new Enhancement(() => prompt.value, setPrompt),
    source: new SourcePicture(ready),
    settings: h("div"),
    fault: h("div"),
    words: h("span", {}, "Draw"),
  };
  parts.submit = h("button.primary", { type: "submit" }, parts.words, h("kbd", {}, shortcut()));
  form.append(
    h("div.composer-scroll", {},
      h("div.prompt-field", {}, prompt),
      h("div.prompt-tools", {}, parts.enhancement.button, parts.source.button),
      parts.enhancement.panel, parts.source.panel, parts.settings),
    h("div.submit", {}, parts.fault, parts.submit));
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  store.on("workers", refresh);
  store.on("line", ready);
  refresh();
}

const shortcut = () => (/Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵");

export function setPrompt(text) {
  parts.prompt.value = text;
  change({ prompt: text });
  ready();
}

/** Fill the form with how a picture was made. */
export function reuse(job, picture) {
  change({
    prompt: job.prompt, negative_prompt: job.negative_prompt, model: job.model, width: job.width, height: job.height,
    num_inference_steps: job.num_inference_steps, guidance_scale: job.guidance_scale, seed: picture.seed, num_images: 1,
    loras: job.loras,
  });
  setPrompt(job.prompt);
  builtFor = "";
  refresh();
  byId("create").querySelector(".more").open = true;
  parts.prompt.focus();
}

/** Ask for the picture. */
export async function submit() {
  const model = chosenModel();
  if (parts.submit.disabled || !model) return;
  parts.fault.replaceChildren();
  try {
    await parts.source.draw(requestOf(model, store.devicesOf(model)), draw);
    byId("stage").scrollIntoView({ block: "nearest" });
  } catch (fault) {
    parts.fault.replaceChildren(faultBox(fault));
  }
}

function chosenModel() {
  const models = store.models();
  return models.get(draft.model) ?? models.values().next().value;
}

function refresh() {
  const models = [...store.models().values()];
  const model = chosenModel();
  const devices = store.devicesOf(model);
  const key = JSON.stringify([models.map((one) => one.id), model, devices]);
  if (model && key !== builtFor) {
    builtFor = key;
    buildSettings(model, models, devices);
  }
  parts.source.offer(model);
  parts.enhancement.offer();
  ready();
}

function ready() {
  const model = chosenModel();
  const said = store.line !== "open" && !store.gateway ? "Connecting" : !model ? "Waiting for a worker" : null;
  parts.submit.disabled = said !== null || !draft.prompt.trim();
  const pictures = draft.num_images > 1 ? `Draw ${draft.num_images} pictures` : "Draw";
  parts.words.textContent = said ?? pictures;
}

function buildSettings(model, models, devices) {
  const open = parts.settings.querySelector(".more")?.open ?? false;
  const summary = h("span.summary");
  const changed = (fields) => { change(fields); summary.textContent = inShort(model); };
  summary.textContent = inShort(model);
  parts.settings.replaceChildren(
    ...(models.length > 1 ? [modelField(model, models)] : []),
    shapeField(model),
    radioTiles("count", "Pictures", COUNTS.map((count) => ({ value: count, content: String(count), label: `${count}` })),
      draft.num_images, (num_images) => { change({ num_images }); ready(); }),
    h("details.more", { open }, h("summary", {}, "Details", summary),
      slider("Steps", { min: model.min_steps, max: model.max_steps, step: 1, value: draft.num_inference_steps ?? model.default_steps },
        (num_inference_steps) => changed({ num_inference_steps })),
      model.max_guidance_scale > model.default_guidance_scale && slider("Guidance",
        { min: 0, max: Math.min(model.max_guidance_scale, 15), step: 0.1, value: draft.guidance_scale ?? model.default_guidance_scale },
        (guidance_scale) => changed({ guidance_scale })),
      seedField(changed),
      devices.length > 1 && deviceField(devices),
      model.loras?.length > 0 && loraField(model),
      model.negative_prompt && withoutField()));
}

/** What the closed details hold. */
function inShort(model) {
  const asked = requestOf(model);
  return `${asked.num_inference_steps} steps · ${asked.seed === null ? "any seed" : `seed ${asked.seed}`}`;
}

function modelField(model, models) {
  const select = h("select", { onchange: () => { changeModel(select.value); refresh(); } },
    models.map((one) => h("option", { value: one.id, selected: one.id === model.id }, one.id)));
  return labelled("Model", select);
}

function deviceField(devices) {
  const select = h("select", { onchange: () => change({ device: select.value || null }) },
    h("option", { value: "" }, "Whichever is free first"),
    devices.map(({ value, label }) => h("option", { value, selected: value === draft.device }, label)));
  return labelled("Device", select);
}

/** One from the list, and how much of it; clients of the APIs may ask for several. */
function loraField(model) {
  const chosen = draft.loras[0];
  const weight = slider("How much of it", { min: -2, max: 2, step: 0.05, value: chosen?.weight ?? 1 }, (value) => pick(select.value, value));
  const pick = (name, value) => change({ loras: name ? [{ name, weight: value }] : [] });
  const select = h("select", { onchange: () => { pick(select.value, draft.loras[0]?.weight ?? 1); weight.hidden = !select.value; } },
    h("option", { value: "" }, "None"),
    model.loras.map((name) => h("option", { value: name, selected: name === chosen?.name }, name)));
  weight.hidden = !chosen;
  return h("div", {}, labelled("LoRA", select), weight);
}

function shapeField(model) {
  const shapes = shapesOf(model);
  const value = (shape) => `${shape.width}x${shape.height}`;
  const chosen = `${draft.width ?? model.default_width}x${draft.height ?? model.default_height}`;
  if (!shapes.some((shape) => value(shape) === chosen)) {
    const [width, height] = chosen.split("x").map(Number);
    shapes.push({ name: "As before", width, height });
  }
  const label = h("span.value", {}, chosen.replace("x", " × "));
  const field = radioTiles("shape", "Shape", shapes.map((shape) => ({
    value: value(shape), content: [glyph(shape)], label: `${shape.name}, ${shape.width} by ${shape.height} pixels` })), chosen,
    (picked) => {
      const [width, height] = picked.split("x").map(Number);
      change({ width, height });
      label.textContent = `${width} × ${height}`;
    });
  field.querySelector("legend").append(label);
  return field;
}

function glyph({ width, height }) {
  const inner = h("i");
  const scale = SHAPE_PIXELS / Math.max(width, height);
  inner.style.setProperty("--w", width * scale);
  inner.style.setProperty("--h", height * scale);
  return h("span.shape", {}, inner);
}

function seedField(changed) {
  const field = h("input.text", { type: "number", min: 0, max: MAX_SEED, step: 1, inputmode: "numeric", placeholder: "Any", value: draft.seed ?? "",
    oninput: () => changed({ seed: field.value === "" ? null : Math.min(MAX_SEED, Math.max(0, Math.round(Number(field.value)))) }) });
  const any = iconButton("dice", "Any seed", () => { field.value = ""; changed({ seed: null }); });
  return labelled("Seed, for the same picture again", field, any);
}

function withoutField() {
  const field = h("input.text", { type: "text", value: draft.negative_prompt, placeholder: "blurry, text", oninput: () => change({ negative_prompt: field.value }) });
  return labelled("Without", field);
}
