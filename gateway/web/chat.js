/** Asking for pictures in sentences: the gateway tells what is meant, and each picture can be retried, edited, saved. */

import { accepted, download, retry } from "./actions.js";
import { json } from "./api.js";
import { byId, h, icon, labelledButton } from "./dom.js";
import { openEditor } from "./editor.js";
import { faultBox } from "./inputs.js";
import { recallForSession, rememberForSession } from "./memory.js";
import { store } from "./store.js";
import { Tile } from "./tile.js";
import { openViewer } from "./viewer.js";

const KEPT_TURNS = 60;
const NO_PICTURE = "That does not ask for a picture, so there is nothing to draw. Say what it should show, for example “draw a red fox in the snow”.";

/** `{ said }` by the user, `{ answer }` in words, `{ ask, prompt }` for a yes, or `{ job, prompt }`; of this tab. */
let turns = recallForSession("turns") ?? [];
let conversation = recallForSession("conversation");
/** Tiles of the jobs in the conversation, by job. */
const tiles = new Map();
let parts = null;

export function startChat() {
  const list = h("div.turns", { role: "log", "aria-label": "Conversation", tabindex: 0 });
  const field = h("textarea", { rows: 1, placeholder: "Create an image of…", "aria-label": "Message",
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
    } });
  const button = h("button.primary", { type: "submit", "aria-label": "Send", title: "Send" }, icon("send"));
  parts = { list, field, button };
  byId("chat").append(list, h("div.say", {}, field, button));
  byId("chat").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  store.on("job", update);
  store.on("jobs", () => { for (const id of new Set(turns.map((turn) => turn.job).filter(Boolean))) if (store.jobs.has(id)) update(store.jobs.get(id)); });
  render();
}

/** Begin anew, with nothing said. */
export function forgetChat() {
  turns = [];
  conversation = null;
  rememberForSession("turns", null);
  rememberForSession("conversation", null);
  for (const tile of [...tiles.values()].flat()) tile.remove();
  tiles.clear();
  render();
}

/** Send what is written. */
export async function send() {
  const message = parts.field.value.trim();
  if (!message || parts.button.disabled) return;
  const said = { said: message };
  add(said);
  parts.field.value = "";
  const fault = await exchange(conversation ? { message, conversation_id: conversation } : { message });
  if (!fault) return;
  parts.field.value = message;
  remove(said);
  showLast(faultBox(fault));
}

/** Tell the gateway something and show what it answers; what went wrong, or null. */
async function exchange(body) {
  parts.button.disabled = true;
  showLast(h("div.turn.theirs.thinking", { role: "status", "aria-label": "Reading" }, h("i"), h("i"), h("i")));
  try {
    hear(await json("/v1/chat/images", { method: "POST", body }));
    return null;
  } catch (fault) {
    return fault;
  } finally {
    parts.button.disabled = false;
    parts.field.focus();
  }
}

function hear(answer) {
  conversation = answer.conversation_id ?? conversation;
  rememberForSession("conversation", conversation);
  if (answer.job_id) {
    accepted(answer.job_id, { prompt: answer.prompt, ...answer.params });
    add({ job: answer.job_id, prompt: answer.prompt });
  } else if (answer.needs_confirmation) {
    add({ ask: answer.actions.find((action) => action.name === "confirm").body, prompt: answer.prompt });
  } else {
    add({ answer: NO_PICTURE });
  }
}

function add(turn) {
  turns = [...turns, turn].slice(-KEPT_TURNS);
  rememberForSession("turns", turns);
  render();
}

function remove(turn) {
  turns = turns.filter((one) => one !== turn);
  rememberForSession("turns", turns);
  render();
}

function showLast(element) {
  parts.list.append(element);
  parts.list.scrollTop = parts.list.scrollHeight;
}

function render() {
  const drawn = turns.length ? turns.map(turnElement)
    : [h("p.hint", {}, "Ask for a picture in a sentence. Then say what should be different, or edit it yourself.")];
  parts.list.replaceChildren(...drawn);
  parts.list.scrollTop = parts.list.scrollHeight;
}

function turnElement(turn) {
  if (turn.said) return h("div.turn.mine", {}, turn.said);
  if (turn.answer) return h("div.turn.theirs", {}, turn.answer);
  if (turn.ask) return question(turn);
  const job = store.jobs.get(turn.job);
  const element = h("div.turn.theirs.drawn", { "data-turn": turn.job });
  fill(element, job, turn.prompt);
  return element;
}

/** The message may ask for a picture: the user knows. */
function question(turn) {
  const draw = async () => {
    const fault = await exchange(turn.ask);
    if (!fault) return remove(turn);
    render();
    return showLast(faultBox(fault));
  };
  return h("div.turn.theirs", {}, h("p", {}, `Shall I draw “${turn.prompt}”?`), h("div.actions", {},
    labelledButton("check", "Draw it", draw), labelledButton("close", "No", () => remove(turn))));
}

function update(job) {
  for (const element of parts.list.querySelectorAll(`[data-turn="${job.id}"]`)) fill(element, job, job.prompt);
}

function fill(element, job, prompt) {
  if (!job || job.state === "cancelled") {
    element.replaceChildren(h("span", {}, job ? `Cancelled: ${prompt}` : prompt));
    return;
  }
  const face = `${job.state}`;
  const known = tiles.get(job.id) ?? [...Array(job.num_images).keys()].map((index) => new Tile(job, index, openViewer));
  tiles.set(job.id, known);
  for (const tile of known) { tile.update(job); tile.setNear(true); }
  if (element.dataset.face === face) return;
  element.dataset.face = face;
  element.replaceChildren(...known.map((tile) => tile.element), h("span", {}, prompt), h("div.actions", {}, buttons(job)));
}

function buttons(job) {
  if (job.state !== "succeeded") return [];
  const [picture] = job.pictures;
  return [
    labelledButton("retry", "Retry", async () => {
      const again = await retry(job);
      if (again) add({ job: again.id, prompt: job.prompt });
    }),
    store.models().get(job.model)?.img2img && labelledButton("edit", "Edit", () => openEditor(job, picture)),
    labelledButton("copy", "Edit prompt", () => { parts.field.value = `draw ${job.prompt}`; parts.field.focus(); }),
    labelledButton("download", "Download", () => download(job, picture)),
  ];
}
