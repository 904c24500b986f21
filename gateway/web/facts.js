/** How a picture was made, as names and values. */

import { h } from "./dom.js";
import { duration, moment } from "./format.js";
import { store } from "./store.js";

/** `[name, value]` pairs of picture `index` of a job that succeeded; the same names in the same order for every picture. */
export function factsOf(job, index) {
  const picture = job.pictures.find((one) => one.index === index);
  const worker = store.workers.find((one) => one.id === job.worker) ?? store.goneWorkers.get(job.worker);
  return [
    ["Seed", String(picture.seed)],
    ["Model", job.model],
    ["Device", worker ? `${worker.device} (${job.worker})` : job.worker],
    ["Size", `${picture.width} × ${picture.height}`],
    ["Steps", String(job.num_inference_steps)],
    ["Guidance", String(job.guidance_scale)],
    ["LoRA", job.loras.map((lora) => `${lora.name} ${lora.weight}`).join(", ")],
    ["Asked for", job.asked_prompt ?? ""],
    ["Without", job.negative_prompt],
    ["Started from", job.strength === null ? "" : `a picture, strength ${job.strength}${job.masked ? ", with a mask" : ""}`],
    ["Drawn in", job.started_at ? duration(job.finished_at - job.started_at) : ""],
    ["Finished", moment(job.finished_at)],
  ];
}

/** A description list of the facts that say something; those in `marked` stand out. */
export function factsList(facts, marked = new Set()) {
  const rows = facts.filter(([, value]) => value !== "");
  return h("dl.facts-list", {}, rows.flatMap(([name, value]) => [
    h("dt", {}, name), h(marked.has(name) ? "dd.differs" : "dd", {}, value)]));
}
