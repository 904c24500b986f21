/** One picture as large as it goes, how it was made, and what to do with it. Its address is in the page's. */

import { copy, download, linkTo, retry } from "./actions.js";
import { byId, h, iconButton, labelledButton } from "./dom.js";
import { openEditor } from "./editor.js";
import { openCompare, seedsOf } from "./compare.js";
import { factsList, factsOf } from "./facts.js";
import { hide, show } from "./pictures.js";
import { store } from "./store.js";

let current = null;
let reuse = () => {};
let neighbours = () => [];

/** `onReuse(job, picture)` fills the form with a picture's parameters; `inOrder()` is what the arrows walk through. */
export function startViewer(onReuse, inOrder) {
  reuse = onReuse;
  neighbours = inOrder;
  const dialog = byId("viewer");
  dialog.addEventListener("close", () => {
    clear(dialog);
    current = null;
    if (location.hash.startsWith("#picture/")) history.replaceState(null, "", location.pathname);
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") walk(-1);
    if (event.key === "ArrowRight") walk(1);
  });
  addEventListener("hashchange", openFromAddress);
}

/** Open what the page's address names, if it is here. */
export function openFromAddress() {
  const [, id, index] = location.hash.match(/^#picture\/([0-9a-f]{32})\/(\d+)$/) ?? [];
  const job = store.jobs.get(id);
  if (job?.pictures.some((picture) => picture.index === Number(index))) openViewer(job, Number(index));
}

export function openViewer(job, index) {
  const dialog = byId("viewer");
  const picture = job.pictures.find((one) => one.index === index);
  if (!picture || (current && current[0].id === job.id && current[1] === index)) return;
  clear(dialog);
  current = [job, index];
  history.replaceState(null, "", linkTo(job, index));
  dialog.replaceChildren(stage(job, picture), side(job, picture, dialog));
  if (!dialog.open) dialog.showModal();
  dialog.focus();
}

function clear(dialog) {
  for (const image of dialog.querySelectorAll("img")) hide(image);
  dialog.replaceChildren();
}

/** The neighbour in the wall's order. */
function walk(by) {
  const all = neighbours();
  const at = all.findIndex(([job, index]) => job.id === current[0].id && index === current[1]);
  const next = all[at + by];
  if (next) openViewer(...next);
}

function stage(job, picture) {
  const image = h("img", { alt: job.prompt });
  const frame = h("div.frame", {}, image);
  frame.style.setProperty("--ratio", picture.width / picture.height);
  frame.style.setProperty("--natural", `${picture.width}px`);
  show(image, job.id, picture.index).catch((fault) => frame.replaceChildren(h("p.fault", { role: "alert" }, fault.message)));
  return h("div.view-stage", {}, frame,
    iconButton("left", "Newer picture", () => walk(-1), "button.quiet.step.back"),
    iconButton("right", "Older picture", () => walk(1), "button.quiet.step.on"));
}

function side(job, picture, dialog) {
  const close = () => dialog.close();
  return h("div.view-side", {},
    h("div.view-head", {}, h("span", {}, "AI-generated"), iconButton("close", "Close", close)),
    h("p.view-prompt", {}, job.prompt),
    h("div.view-actions", {}, buttons(job, picture, close)),
    factsList(factsOf(job, picture.index)),
    h("p.made", {}, "The file carries these parameters, so other tools can read them."));
}

function buttons(job, picture, close) {
  const model = store.models().get(job.model);
  const edit = labelledButton("edit", "Edit", () => { close(); openEditor(job, picture); }, "button.quiet.outlined");
  if (!model?.img2img) {
    edit.disabled = true;
    edit.title = model ? `${model.id} draws from words only` : "No live worker offers this model";
  }
  return [
    labelledButton("download", "Download", () => download(job, picture), "button.primary"),
    labelledButton("retry", "Retry", () => { close(); retry(job); }, "button.quiet.outlined"),
    edit,
    labelledButton("reuse", "Use settings", () => { close(); reuse(job, picture); }, "button.quiet.outlined"),
    labelledButton("copy", "Copy prompt", () => copy(job.prompt, "Prompt"), "button.quiet.outlined"),
    labelledButton("link", "Copy link", () => copy(new URL(linkTo(job, picture.index), location.href).href, "Link"), "button.quiet.outlined"),
    job.pictures.length > 1 && labelledButton("compare", "Compare seeds",
      () => { close(); openCompare(seedsOf(job)); }, "button.quiet.outlined"),
  ];
}
