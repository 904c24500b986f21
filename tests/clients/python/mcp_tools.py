"""mcp's client: tools, a picture, an edit of it, its job, a fault, cancelling."""

from __future__ import annotations

import asyncio
import base64

import httpx2
from around import KEY, LONG, URL, eventually, get, state_of
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client


def connect() -> Client:
    http = httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, timeout=60)
    return Client(streamable_http_client(f"{URL}/mcp", http_client=http))


async def main() -> None:
    async with connect() as client:
        assert "generate_image" in [tool.name for tool in (await client.list_tools()).tools]
        image, link, _ = (await client.call_tool("generate_image", {"prompt": "a fox", "steps": 3})).content
        assert get(link.uri) == base64.b64decode(image.data)
        job = link.name.removesuffix(".jpg")
        edited = await client.call_tool("edit_image", {"prompt": "a hat", "job_id": job})
        assert not edited.is_error, edited.content
        assert "succeeded" in (await client.call_tool("job_status", {"job_id": job})).content[0].text
        wrong = await client.call_tool("generate_image", {"prompt": "a fox", "model": "none"})
        assert wrong.is_error
        assert "there are: fake" in wrong.content[0].text
        drawing = asyncio.create_task(client.call_tool("generate_image", {"prompt": "left by mcp", "steps": LONG // 2}))
        await asyncio.to_thread(eventually, lambda: state_of("left by mcp") == "running")
        drawing.cancel()
        await asyncio.to_thread(eventually, lambda: state_of("left by mcp") == "cancelled")


asyncio.run(main())
