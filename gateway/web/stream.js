/** The page's one event stream: opened, read, and opened again for as long as the page lives. */

import { request } from "./api.js";

const SILENCE_MS = 40_000;
const PAUSES_MS = [250, 500, 1000, 2000, 3000];

/**
 * Follow `path`. `on.event(name, data)` takes each event, `on.lost(fault)` hears of every end.
 * Returns a function that begins anew at once (after the key changed, say).
 */
export function follow(path, on) {
  let failures = 0;
  let current = new AbortController();
  let wake = () => {};

  async function run() {
    for (;;) {
      current = new AbortController();
      try {
        await read(path, current, (name, data) => { failures = 0; on.event(name, data); });
        on.lost(null);
      } catch (fault) {
        on.lost(fault);
      }
      const pause = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)];
      failures += 1;
      await new Promise((resolve) => { wake = resolve; setTimeout(resolve, pause); });
    }
  }

  run();
  addEventListener("online", () => wake());
  return () => { failures = 0; current.abort(); wake(); };
}

async function read(path, control, onEvent) {
  const answer = await request(path, { headers: { accept: "text/event-stream" }, signal: control.signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  for (;;) {
    const silence = setTimeout(() => control.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    pending += value;
    const blocks = pending.split("\n\n");
    pending = blocks.pop();
    for (const block of blocks) dispatch(block, onEvent);
  }
}

function dispatch(block, onEvent) {
  let name = "message";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (name !== "keepalive" && data) onEvent(name, JSON.parse(data));
}
