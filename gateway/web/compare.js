/** Pictures side by side, with what differs between them marked. */

import { download } from "./actions.js";
import { byId, h, iconButton, labelledButton } from "./dom.js";
import { factsOf, factsList } from "./facts.js";
import { hide, show } from "./pictures.js";

/** All pictures of a job: they differ by their seeds. */
export const seedsOf = (job) => job.pictures.map((picture) => [job, picture.index]);

/** Compare `[job, index]` pairs. */
export function openCompare(pictures) {
  const dialog = byId("compare");
  const facts = pictures.map(([job, index]) => factsOf(job, index));
  const differing = new Set(facts[0].map(([name]) => name).filter((name, at) => new Set(facts.map((list) => list[at]?.[1])).size > 1));
  const prompts = new Set(pictures.map(([job]) => job.prompt));
  const columns = pictures.map(([job, index], at) => column(job, index, facts[at], differing, prompts.size > 1));
  dialog.replaceChildren(
    h("header", {}, h("h2", {}, prompts.size === 1 ? pictures[0][0].prompt : `${pictures.length} pictures`),
      iconButton("close", "Close", () => dialog.close())),
    h("div.columns", {}, columns));
  dialog.onclose = () => { for (const image of dialog.querySelectorAll("img")) hide(image); dialog.replaceChildren(); };
  dialog.showModal();
}

function column(job, index, facts, differing, withPrompt) {
  const picture = job.pictures.find((one) => one.index === index);
  const image = h("img", { alt: `${job.prompt}, seed ${picture.seed}` });
  image.style.setProperty("--ratio", picture.width / picture.height);
  show(image, job.id, index).catch(() => {});
  return h("figure", {}, image, h("figcaption", {},
    withPrompt && h("p", {}, job.prompt),
    factsList(facts, differing),
    labelledButton("download", "Download", () => download(job, picture), "button.quiet.outlined")));
}
