// openai-node: generations, edits, streams, faults, cancelling.
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";
import { eventually, png, sizeOf, stateOf } from "./around.mjs";

const client = new OpenAI({ maxRetries: 0 });
const picture = (item) => Buffer.from(item.b64_json, "base64");
const file = (data, name) => toFile(data, name, { type: "image/png" });

const models = await client.models.list();
assert.deepEqual(models.data.map((model) => model.id), ["fake"]);

const drawn = await client.images.generate({ model: "fake", prompt: "a fox", n: 2, size: "72x64", seed: 7 });
assert.deepEqual(drawn.data.map((item) => sizeOf(picture(item))), [[72, 64], [72, 64]]);
assert.deepEqual(drawn.data.map((item) => item.seed), [7, 8]);

const edited = await client.images.edit({
  model: "fake",
  prompt: "a hat",
  image: await file(png(), "start.png"),
  mask: await file(png(64, true), "mask.png"),
});
assert.deepEqual(sizeOf(picture(edited.data[0])), [64, 64]);

const kinds = [];
for await (const event of await client.images.generate({
  model: "fake", prompt: "a fox", stream: true, partial_images: 2, steps: 8,
})) kinds.push(event.type);
assert.deepEqual(kinds, [
  "image_generation.partial_image", "image_generation.partial_image", "image_generation.completed",
]);

await assert.rejects(client.images.generate({ model: "fake", prompt: "a fox", size: "wide" }), (fault) => {
  assert.ok(fault instanceof OpenAI.BadRequestError);
  assert.deepEqual([fault.param, fault.code], ["size", "invalid_request"]);
  assert.match(fault.message, /1024x768/);
  return true;
});
await assert.rejects(
  client.images.generate({ model: "fake", prompt: "a fox" }, { headers: { authorization: "Bearer wrong" } }),
  OpenAI.AuthenticationError,
);
await assert.rejects(async () => {
  for await (const _ of await client.images.generate({ model: "fake", prompt: "fail in node", stream: true }));
}, OpenAI.APIError);

const stream = await client.images.generate({
  model: "fake", prompt: "left by node", stream: true, partial_images: 3, steps: 700,
});
for await (const event of stream) {
  assert.equal(event.type, "image_generation.partial_image");
  break;
}
stream.controller.abort();
await eventually(async () => (await stateOf("left by node")) === "cancelled");
