"""openai-python: generations, links, edits, streams, faults, a key that is wrong, cancelling. argv[1]: major version."""

from __future__ import annotations

import base64
import sys

import openai
from around import LONG, PNG, eventually, get, png, refusal, size, state_of

assert openai.__version__.split(".")[0] == sys.argv[1], openai.__version__
client = openai.OpenAI(max_retries=0)

assert [model.id for model in client.models.list()] == ["fake"]

drawn = client.images.generate(model="fake", prompt="a fox", n=2, size="72x64", extra_body={"seed": 7, "steps": 3})
assert [size(base64.b64decode(item.b64_json)) for item in drawn.data] == [(72, 64)] * 2
assert [item.seed for item in drawn.data] == [7, 8]
assert drawn.usage.total_tokens > 0
assert client.images.generate(model="gpt-image-1", prompt="a fox").data[0].b64_json
linked = client.images.generate(model="dall-e-3", prompt="a fox", quality="hd", style="vivid").data[0]
assert linked.b64_json is None
assert get(linked.url).startswith(PNG)

edited = client.images.edit(model="fake", image=png(), mask=png(alpha=True), prompt="a hat")
assert size(base64.b64decode(edited.data[0].b64_json)) == (64, 64)
assert client.images.edit(model="fake", image=[png(), png()], prompt="a hat").data[0].b64_json
assert client.images.create_variation(image=png(), n=2, response_format="b64_json").data[1].b64_json

for prompt, events in (("a fox", client.images.generate), ("a hat", client.images.edit)):
    start = {"image": png()} if prompt == "a hat" else {}
    stream = events(model="fake", prompt=prompt, stream=True, partial_images=2, extra_body={"steps": 8}, **start)
    kinds = [(event.type.split(".")[1], bool(event.b64_json)) for event in stream]
    assert kinds == [("partial_image", True)] * 2 + [("completed", True)], kinds

fault = refusal(openai.BadRequestError, lambda: client.images.generate(model="fake", prompt="a fox", size="wide"))
assert (fault.param, fault.code, fault.type) == ("size", "invalid_request", "invalid_request_error")
assert "1024x768" in str(fault)
assert fault.request_id
fault = refusal(openai.NotFoundError, lambda: client.images.generate(model="none", prompt="a fox"))
assert "there are: fake" in str(fault)
fault = refusal(
    openai.APIError, lambda: list(client.images.generate(model="fake", prompt="fail in a stream", stream=True))
)
assert fault.message
fault = refusal(
    openai.AuthenticationError,
    lambda: client.with_options(api_key="wrong").images.generate(model="fake", prompt="a fox"),
)
assert "does not exist" in str(fault)

first = client.images.generate(model="fake", prompt="once", extra_headers={"Idempotency-Key": "k" + sys.argv[1]})
again = client.images.generate(model="fake", prompt="once", extra_headers={"Idempotency-Key": "k" + sys.argv[1]})
assert first.job_id == again.job_id
assert first.data[0].b64_json == again.data[0].b64_json

left = f"left by {sys.argv[1]}"
stream = client.images.generate(
    model="fake", prompt=left, stream=True, partial_images=3, extra_body={"steps": LONG // 2}
)
assert next(iter(stream)).type == "image_generation.partial_image"
stream.close()
eventually(lambda: state_of(left) == "cancelled")
