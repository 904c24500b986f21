/** What the form holds, remembered across reloads: null means the model's own. */

import { recall, remember } from "./memory.js";

const EMPTY = {
  prompt: "", negative_prompt: "", model: null, width: null, height: null, num_inference_steps: null,
  guidance_scale: null, seed: null, num_images: 1, device: null, loras: [],
};

export const draft = { ...EMPTY, ...recall("draft") };

/** Change some of it. */
export function change(fields) {
  Object.assign(draft, fields);
  remember("draft", draft);
}

/** Another model: what belonged to the last one goes. */
export function changeModel(id) {
  change({ model: id, width: null, height: null, num_inference_steps: null, guidance_scale: null, device: null, loras: [] });
}

/** The request that it makes with `model`, every value within the model's limits, for a device that is there. */
export function requestOf(model, devices = []) {
  const within = (value, least, most) => Math.min(most, Math.max(least, value));
  return {
    prompt: draft.prompt.trim(),
    negative_prompt: (model.negative_prompt && draft.negative_prompt.trim()) || null,
    model: model.id,
    width: draft.width ?? model.default_width,
    height: draft.height ?? model.default_height,
    num_inference_steps: within(draft.num_inference_steps ?? model.default_steps, model.min_steps, model.max_steps),
    guidance_scale: within(draft.guidance_scale ?? model.default_guidance_scale, 0, model.max_guidance_scale),
    seed: draft.seed,
    num_images: draft.num_images,
    loras: draft.loras.filter((lora) => model.loras?.includes(lora.name)),
    device: devices.some((device) => device.value === draft.device) ? draft.device : null,
  };
}
