// ai with @ai-sdk/openai-compatible: generations, edits, a fault, cancelling. It does not stream pictures.
import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage } from "ai";
import { KEY, URL_, eventually, png, sizeOf, stateOf } from "./around.mjs";

const easel = createOpenAICompatible({ name: "easel", baseURL: `${URL_}/v1`, apiKey: KEY });
const model = easel.imageModel("fake");

const drawn = await generateImage({
  model, prompt: "a fox", n: 2, size: "72x64", providerOptions: { easel: { seed: 7 } },
});
assert.deepEqual(drawn.images.map((image) => sizeOf(Buffer.from(image.uint8Array))), [[72, 64], [72, 64]]);

const edited = await generateImage({ model, prompt: { text: "a hat", images: [png()], mask: png(64, true) } });
assert.deepEqual(sizeOf(Buffer.from(edited.image.uint8Array)), [64, 64]);

await assert.rejects(generateImage({ model, prompt: "a fox", size: "1x-1", maxRetries: 0 }), /size|width|height/);
await assert.rejects(generateImage({ model: easel.imageModel("none"), prompt: "a fox", maxRetries: 0 }), /there are: fake/);

const leaving = new AbortController();
const drawing = generateImage({
  model, prompt: "left by ai", maxRetries: 0, abortSignal: leaving.signal, providerOptions: { easel: { steps: 700 } },
});
const ended = assert.rejects(drawing);
await eventually(async () => (await stateOf("left by ai")) === "running");
leaving.abort();
await ended;
await eventually(async () => (await stateOf("left by ai")) === "cancelled");
