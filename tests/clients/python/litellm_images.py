"""litellm: generations, edits, faults as its own exceptions, cancelling. It does not stream pictures."""

from __future__ import annotations

import asyncio
import base64
import io

import litellm
from around import KEY, LONG, URL, eventually, png, refusal, size, state_of

place = {"api_base": f"{URL}/v1", "api_key": KEY, "max_retries": 0}

drawn = litellm.image_generation(model="openai/fake", prompt="a fox", n=2, size="72x64", seed=7, **place)
assert [size(base64.b64decode(item.b64_json)) for item in drawn.data] == [(72, 64)] * 2

start = io.BytesIO(png())
start.name = "start.png"
edited = litellm.image_edit(model="openai/fake", image=start, prompt="a hat", **place)
assert size(base64.b64decode(edited.data[0].b64_json)) == (64, 64)

fault = refusal(
    litellm.BadRequestError, lambda: litellm.image_generation(model="openai/fake", prompt="a fox", size="wide", **place)
)
assert "1024x768" in str(fault)
fault = refusal(
    litellm.AuthenticationError,
    lambda: litellm.image_generation(model="openai/fake", prompt="a fox", **{**place, "api_key": "wrong"}),
)
assert "does not exist" in str(fault)


async def leave() -> None:
    drawing = asyncio.create_task(
        litellm.aimage_generation(model="openai/fake", prompt="left by litellm", steps=LONG // 2, **place)
    )
    await asyncio.to_thread(eventually, lambda: state_of("left by litellm") == "running")
    drawing.cancel()
    await asyncio.to_thread(eventually, lambda: state_of("left by litellm") == "cancelled")


asyncio.run(leave())
