// What the programs share: addresses, a picture to change, and what became of a job.
import { crc32, deflateSync } from "node:zlib";

export const URL_ = process.env.EASEL_URL;
export const KEY = process.env.EASEL_KEY;
export const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

export async function get(path) {
  return fetch(path.includes("://") ? path : URL_ + path, { headers: { "x-api-key": KEY } });
}

export async function eventually(look, withinMs = 60_000) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error("waited in vain");
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

export async function stateOf(prompt) {
  const { jobs } = await (await get("/jobs")).json();
  return jobs.find((job) => job.prompt === prompt)?.status ?? "";
}

// A blue square; with alpha its right half is transparent.
export function png(side = 64, alpha = false) {
  const pixel = (x) => (alpha ? [0, 0, 0x80, x < side / 2 ? 255 : 0] : [0, 0, 0x80]);
  const row = [0, ...Array.from({ length: side }, (_, x) => pixel(x)).flat()];
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, alpha ? 6 : 2], 8);
  const data = deflateSync(Buffer.from(Array(side).fill(row).flat()));
  return Buffer.concat([PNG, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(kind, body) {
  const named = Buffer.concat([Buffer.from(kind), body]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(body.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), framed.length - 4);
  return framed;
}

export function sizeOf(data) {
  return [data.readUInt32BE(16), data.readUInt32BE(20)];
}
