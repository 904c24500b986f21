/** Who is on the bus: the chip in the header, and the list behind it. */

import { byId, h } from "./dom.js";
import { bytes, duration, moment, plural } from "./format.js";
import { store } from "./store.js";

const GONE_FOR_S = 3600;

export function startDevices() {
  store.on("workers", render);
  store.on("line", render);
  byId("devices").addEventListener("toggle", render);
  render();
}

function render() {
  const [tone, text] = standing();
  byId("line").querySelector(".dot").className = `dot ${tone}`;
  byId("line-text").textContent = text;
  if (byId("devices").matches(":popover-open")) renderList();
}

/** The system in a word or two. */
function standing() {
  if (store.line === "connecting") return ["", "Connecting"];
  if (store.line === "lost") return ["bad", store.lineFault?.status === 503 ? "The bus is away" : "Reconnecting"];
  const drawing = store.workers.filter((worker) => worker.models.length);
  if (!drawing.length) return ["warn", "No worker yet"];
  const busy = drawing.filter((worker) => worker.free_slots < worker.slots).length;
  const named = drawing.length === 1 ? drawing[0].device : plural(drawing.length, "device");
  return busy ? ["busy", `${named} · ${busy === drawing.length ? "busy" : `${busy} busy`}`] : ["good", `${named} · ready`];
}

function renderList() {
  const now = Date.now() / 1000;
  const gone = [...store.goneWorkers.values()].filter((worker) => now - worker.gone_at < GONE_FOR_S);
  byId("devices").replaceChildren(
    h("h2", {}, "Devices on the bus"),
    ...store.workers.map(liveWorker),
    ...gone.map(goneWorker),
    ...(store.workers.length + gone.length ? [] : [h("p.hint", {}, "No worker has announced itself. Start one with easel up, or look at its log.")]));
}

function liveWorker(worker) {
  const busy = worker.slots - worker.free_slots;
  const state = busy ? (worker.slots > 1 ? `${busy} of ${worker.slots} busy` : "busy") : "idle";
  const models = worker.models.map((model) => (worker.loaded.includes(model.id) ? `${model.id} (loaded)` : model.id)).join(", ");
  const up = duration(Date.now() / 1000 - store.skew - worker.started_at);
  return h("div.device", {},
    h(`span.dot.${busy ? "busy" : "good"}`), h("b", {}, worker.device), h("span.state", {}, state),
    h("span.facts", {}, [worker.id, worker.service, models, worker.memory_bytes && bytes(worker.memory_bytes), `up ${up}`].filter(Boolean).join(" · ")));
}

function goneWorker(worker) {
  return h("div.device.away", {},
    h("span.dot.bad"), h("b", {}, worker.device), h("span.state", {}, "gone"),
    h("span.facts", {}, `${worker.id} · last seen ${moment(worker.gone_at)}`));
}
