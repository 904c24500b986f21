/** Picture bytes as blobs: fetched with the key, a few at a time, kept while they are near, let go when far. */

import { request } from "./api.js";

const AT_ONCE = 4;
const KEPT = 160;

/** By `job/form?index`: a promise of an object URL, least recently used first. */
const kept = new Map();
const inUse = new Map();
const waiting = [];
let running = 0;

/** The picture as it was drawn, and in a small form for where there are many. */
export const WHOLE = "image";
export const SMALL = "thumbnail";

const keyOf = (job, index, form) => `${job}/${form}?index=${index}`;

/** The picture's bytes exactly as the gateway has them. */
export async function pictureBlob(job, index, form = WHOLE) {
  return (await request(`/job/${keyOf(job, index, form)}`)).blob();
}

/**
 * Show a picture in `img` as soon as it is here; another form of the one that is shown stays until then. Resolves when
 * it is decoded; rejects with an ApiError.
 */
export async function show(img, job, index, form = WHOLE) {
  const key = keyOf(job, index, form);
  const before = img.dataset.shows;
  if (before === key) return;
  if (before && [WHOLE, SMALL].some((other) => before === keyOf(job, index, other))) release(before);
  else hide(img);
  img.dataset.shows = key;
  inUse.set(key, (inUse.get(key) ?? 0) + 1);
  const url = await objectUrl(key, () => pictureBlob(job, index, form));
  if (img.dataset.shows !== key) return;
  img.src = url;
  await img.decode().catch(() => {});
  img.classList.add("shown");
}

/** Take the picture out of `img`; its bytes may be let go. */
export function hide(img) {
  const key = img.dataset.shows;
  if (!key) return;
  delete img.dataset.shows;
  img.removeAttribute("src");
  img.classList.remove("shown");
  release(key);
}

function release(key) {
  const users = (inUse.get(key) ?? 1) - 1;
  if (users) inUse.set(key, users);
  else inUse.delete(key);
  letGo();
}

function objectUrl(key, fetchBlob) {
  let found = kept.get(key);
  if (found) kept.delete(key);
  else {
    found = inTurn(fetchBlob).then((blob) => URL.createObjectURL(blob));
    found.catch(() => kept.delete(key));
  }
  kept.set(key, found);
  return found;
}

function letGo() {
  for (const [key, url] of kept) {
    if (kept.size <= KEPT) return;
    if (inUse.has(key)) continue;
    kept.delete(key);
    url.then(URL.revokeObjectURL, () => {});
  }
}

/** Newest wishes first: what is on the screen now was asked for last. */
function inTurn(work) {
  return new Promise((resolve, reject) => {
    waiting.push(() => work().then(resolve, reject).finally(() => { running -= 1; next(); }));
    next();
  });
}

function next() {
  if (running < AT_ONCE && waiting.length) {
    running += 1;
    waiting.pop()();
  }
}
