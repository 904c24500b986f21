/** The wall: the newest job large on the stage, everything before it in rows, found by search. */

import { json } from "./api.js";
import { announce, note } from "./announce.js";
import { cancelAll } from "./actions.js";
import { openCompare } from "./compare.js";
import { byId, h, icon, labelledButton } from "./dom.js";
import { plural } from "./format.js";
import { Placard } from "./placard.js";
import { hasEnded, store } from "./store.js";
import { progressWords, Tile } from "./tile.js";
import { openViewer } from "./viewer.js";

const IDEAS = [
  "a sailboat on the sea at sunset", "a red fox in the snow", "a rocket in the night sky",
  "a palm tree on the beach", "a castle in the mountains", "a rainbow in the sky",
];
const COMPARED = 4;

/** By `job/index`. */
const tiles = new Map();
const placard = new Placard();
let wanted = "";
let choosing = false;
let chosen = [];
let near = null;
let controls = null;

/** Build the wall; `useIdea(prompt)` is called when an example is chosen. */
export function startGallery(useIdea) {
  near = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) target.tile.setNear(isIntersecting);
  }, { rootMargin: "900px 0px" });
  byId("stage").after(placard.element);
  buildToolbar();
  buildEmpty(useIdea);
  store.on("jobs", arrange);
  store.on("job", updateJob);
  store.on("ended", (job) => announceEnd(job));
  const foot = new IntersectionObserver((seen) => { footIsNear = seen.at(-1).isIntersecting; loadOlder(); }, { rootMargin: "1200px 0px" });
  foot.observe(byId("foot"));
  store.on("jobs", () => { foot.unobserve(byId("foot")); foot.observe(byId("foot")); }); // told anew where the foot is now
}

/** Jobs that the wall shows, newest first: cancelled ones leave it. */
export function shownJobs() {
  return store.newest().filter((job) => job.state !== "cancelled");
}

/** Every finished picture on the wall in its order, as `[job, index]`: what the arrows walk through. */
export function shownPictures() {
  return shownJobs().filter(matches).flatMap((job) => job.pictures.map((picture) => [job, picture.index]));
}

function arrange() {
  const jobs = shownJobs();
  const [newest, ...older] = jobs;
  const staged = newest && (matches(newest) || !hasEnded(newest)) ? newest : null;
  place(byId("stage"), staged ? [staged] : []);
  placard.update(staged);
  place(byId("gallery"), older.filter((job) => matches(job) || !hasEnded(job)));
  const keys = new Set(jobs.flatMap((job) => indexes(job).map((index) => `${job.id}/${index}`)));
  for (const [key, tile] of tiles) if (!keys.has(key)) dropTile(key, tile);
  byId("empty").hidden = jobs.length > 0 || store.line !== "open";
  byId("toolbar").hidden = jobs.length === 0;
  showCounts();
}

const indexes = (job) => (job.state === "failed" ? [0] : [...Array(job.num_images).keys()]);

function place(row, jobs) {
  const elements = jobs.flatMap((job) => indexes(job).map((index) => tileOf(job, index).element));
  const wantedElements = new Set(elements);
  for (const child of [...row.children]) if (!wantedElements.has(child)) child.remove();
  for (const element of elements) element.tile.setLarge(row.id === "stage");
  elements.forEach((element, position) => {
    if (row.children[position] !== element) row.insertBefore(element, row.children[position] ?? null);
  });
}

function tileOf(job, index) {
  const key = `${job.id}/${index}`;
  let tile = tiles.get(key);
  if (tile) tile.update(job);
  else {
    tile = new Tile(job, index, openViewer);
    tiles.set(key, tile);
    near.observe(tile.element);
    if (choosing) addPick(tile);
  }
  return tile;
}

function dropTile(key, tile) {
  near.unobserve(tile.element);
  tile.remove();
  tiles.delete(key);
}

function updateJob(job) {
  if (job.state === "cancelled" || job.state === "failed") arrange();
  else for (const index of indexes(job)) tiles.get(`${job.id}/${index}`)?.update(job);
  if (byId("stage").firstElementChild?.dataset.job === job.id) placard.update(job);
  if (!hasEnded(job)) announce(progressWords(job));
  if (choosing && job.state === "succeeded") for (const index of indexes(job)) addPick(tiles.get(`${job.id}/${index}`));
  showCounts();
}

function announceEnd(job) {
  if (job.state === "succeeded") announce(`Done: ${job.prompt}`);
  if (job.state === "failed") announce(`Failed: ${job.error}`);
}

/* ------------------------------------------------------------------ search, counts and choosing */

function buildToolbar() {
  const search = h("input.text", { type: "search", placeholder: "Search prompts, models, seeds", "aria-label": "Search pictures",
    oninput: (event) => { wanted = event.target.value.trim().toLowerCase(); arrange(); } });
  const count = h("span.count", { "aria-live": "off" });
  const stopAll = labelledButton("close", "Cancel all", cancelAll);
  const choose = labelledButton("compare", "Compare", () => setChoosing(!choosing));
  const go = h("button.primary", { type: "button", onclick: compareChosen }, "Compare");
  choose.setAttribute("aria-pressed", "false");
  controls = { count, stopAll, choose, go };
  byId("toolbar").append(h("label.search", {}, icon("search"), search), count, stopAll, choose, go);
}

function matches(job) {
  if (!wanted) return true;
  const device = store.workers.find((worker) => worker.id === job.worker)?.device ?? "";
  const text = [job.prompt, job.negative_prompt, job.model, job.worker, device, ...job.pictures.map((picture) => picture.seed)];
  const all = text.join("\n").toLowerCase();
  return wanted.split(/\s+/).every((word) => all.includes(word));
}

function showCounts() {
  const pictures = shownPictures().length;
  const unfinished = store.unfinished().length;
  controls.count.textContent = wanted ? `${plural(pictures, "picture")} found` : `${plural(pictures, "picture")}${store.older !== null ? " so far" : ""}`;
  controls.stopAll.hidden = unfinished < 2;
  controls.choose.hidden = pictures < 2;
  controls.go.hidden = !choosing;
  controls.go.disabled = chosen.length < 2;
  controls.go.textContent = chosen.length < 2 ? "Choose two or more" : `Compare ${chosen.length}`;
}

function setChoosing(on) {
  choosing = on;
  chosen = [];
  controls.choose.setAttribute("aria-pressed", String(on));
  document.querySelector(".wall").classList.toggle("choosing", on);
  for (const pick of document.querySelectorAll(".pick")) pick.remove();
  if (on) for (const tile of tiles.values()) addPick(tile);
  showCounts();
}

function addPick(tile) {
  if (!tile || tile.face !== "done" || tile.element.querySelector(".pick")) return;
  const pick = h("button.pick", { type: "button", "aria-pressed": "false", "aria-label": `Choose: ${tile.job.prompt}, seed ${tile.picture?.seed}`,
    onclick: () => {
      const at = chosen.findIndex(([job, index]) => job.id === tile.job.id && index === tile.index);
      if (at >= 0) chosen.splice(at, 1);
      else if (chosen.length < COMPARED) chosen.push([tile.job, tile.index]);
      else note(`At most ${COMPARED} fit side by side`);
      pick.setAttribute("aria-pressed", String(chosen.some(([job, index]) => job.id === tile.job.id && index === tile.index)));
      showCounts();
    } });
  tile.element.append(pick);
}

function compareChosen() {
  const pictures = chosen;
  setChoosing(false);
  openCompare(pictures);
}

/* ------------------------------------------------------------------ older jobs, and none at all */

let loading = false;
let footIsNear = false;

async function loadOlder() {
  if (loading || !footIsNear || store.older === null) return;
  loading = true;
  try {
    const { jobs } = store;
    const page = await json(`/page/jobs?before=${store.older}`);
    if (jobs === store.jobs) store.addOlder(page); // else it was asked with another key
  } catch (fault) {
    note(fault.message);
  } finally {
    loading = false;
  }
}

function buildEmpty(useIdea) {
  const ideas = IDEAS.map((idea) => h("button.idea", { type: "button", onclick: () => useIdea(idea) }, idea));
  byId("empty").append(
    h("div.canvases", { "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("h2", {}, "What would you like to see?"),
    h("p", {}, "Describe it in your own words, or begin with one of these. Pictures are drawn on your own machines and stay there."),
    h("div.ideas", {}, ideas));
}
