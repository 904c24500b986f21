"""Clients that send slowly, or too much, are cut; others are not touched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.gateway.test_process import NOWHERE
from tests.support.gateways import GatewayProcess
from tests.support.systems import answering

QUICK = {"EASEL_GATEWAY_HEADER_TIMEOUT_S": "0.5", "EASEL_GATEWAY_BODY_TIMEOUT_S": "0.5"}
BODY = b"POST /generate HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n"


@pytest.mark.parametrize("start", [b"", b"GET /livez HTTP/1.1\r\nx-a: ", BODY + b"{", BODY.replace(b"/gen", b"/no")])
async def test_a_client_that_keeps_sending_slowly_is_cut(tmp_path: Path, start: bytes) -> None:
    """Every byte would begin uvicorn's patience anew."""
    with GatewayProcess(NOWHERE, tmp_path / "log", **QUICK) as gateway:
        await answering(gateway)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(start)

        async def dribble() -> None:
            while start and not writer.is_closing():
                writer.write(b"a")
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribble())
        try:
            async with asyncio.timeout(20):
                while await _received(reader):
                    pass
        finally:
            dribbling.cancel()
            writer.close()
        await answering(gateway)


async def test_headers_without_end_are_cut(tmp_path: Path) -> None:
    """Before they fill the memory."""
    with GatewayProcess(NOWHERE, tmp_path / "log") as gateway:
        await answering(gateway)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /livez HTTP/1.1\r\nx-a: " + b"a" * (128 << 10))
        try:
            async with asyncio.timeout(10):
                assert await _received(reader) == b""
        finally:
            writer.close()


async def _received(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(4096)
    except ConnectionError:
        return b""
