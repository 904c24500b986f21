/** What can be done with a job or a picture, from wherever it is shown. */

import { json, request } from "./api.js";
import { announce, note } from "./announce.js";
import { fileName } from "./format.js";
import { pictureBlob } from "./pictures.js";
import { hasEnded, store } from "./store.js";

const PREVIEWS = 12;
/** Jobs that this page asked for, newest last. */
const ours = [];

/** Submit a request; the job appears at once. Throws ApiError. */
export async function draw(asked) {
  const answer = await json("/generate/async", { method: "POST", body: { ...asked, num_previews: PREVIEWS } });
  return accepted(answer.job_id, asked);
}

/** Submit a request that starts from a picture of `job`. Throws ApiError. */
export async function drawFrom(job, asked) {
  const answer = await json(`/job/${job.id}/edit`, { method: "POST", body: { ...asked, num_previews: PREVIEWS } });
  return accepted(answer.job_id, { ...job, ...asked, masked: Boolean(asked.mask_image) });
}

/** Have a job drawn again as it was, but with a new seed. */
export async function retry(job) {
  try {
    const answer = await json(`/job/${job.id}/retry`, { method: "POST" });
    return accepted(answer.job_id, { ...job, seed: null });
  } catch (fault) {
    note(fault.message);
    return null;
  }
}

/** Put a job on the wall that the gateway has just accepted; the stream tells the rest. */
export function accepted(id, asked) {
  ours.push(id);
  announce("Queued");
  if (store.jobs.has(id)) return store.jobs.get(id); // the stream was quicker
  store.setJob({
    id, state: "queued", ahead: null, attempt: 0, step: 0, total_steps: asked.num_inference_steps ?? 0, worker: "",
    created_at: Date.now() / 1000, started_at: null, finished_at: null, model: asked.model ?? "",
    prompt: asked.prompt ?? "", asked_prompt: null, enhancing: false, negative_prompt: asked.negative_prompt ?? "", width: asked.width ?? 1,
    height: asked.height ?? 1, seed: asked.seed ?? 0, num_inference_steps: asked.num_inference_steps ?? 0,
    guidance_scale: asked.guidance_scale ?? 0, num_images: asked.num_images ?? 1, loras: asked.loras ?? [], strength: asked.strength ?? null,
    masked: Boolean(asked.masked), pictures: [], error: null, code: null,
  });
  return store.jobs.get(id);
}

/** Stop a job; the wall shows it at once and again if the gateway did not. */
export async function cancel(job) {
  try {
    await request(`/job/${job.id}`, { method: "DELETE" });
    if (!hasEnded(job)) store.setJob({ ...job, state: "cancelled", finished_at: Date.now() / 1000 });
    note("Cancelled");
  } catch (fault) {
    note(fault.message);
  }
}

/** The newest unfinished job that this page asked for, or the newest of all. */
export function newestToCancel() {
  const unfinished = store.unfinished();
  return ours.map((id) => unfinished.find((job) => job.id === id)).filter(Boolean).at(-1) ?? unfinished[0];
}

export const cancelAll = () => Promise.all(store.unfinished().map(cancel));

/** Save the file as the gateway has it: its parameters are inside. */
export async function download(job, picture) {
  try {
    const url = URL.createObjectURL(await pictureBlob(job.id, picture.index));
    const anchor = document.createElement("a");
    anchor.href = url;
    anchor.download = fileName(job.prompt, picture.seed, picture.content_type);
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (fault) {
    note(fault.message);
  }
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    note(`${what} copied`);
  } catch {
    note(`The browser did not allow copying. ${what}: ${text}`, { lasting: 15_000 });
  }
}

export const linkTo = (job, index) => `#picture/${job.id}/${index}`;
