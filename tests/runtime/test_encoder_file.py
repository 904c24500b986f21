"""A picture on its way from the encoder's thread to the event loop."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import BinaryIO

import pytest

from contracts.images import ImageFormat
from runtime.worker.images.encoder_file import PART_BYTES, EncoderFile
from runtime.worker.images.encoding import encode_image, write_image
from tests.support import builders
from tests.support.fake_engine import FakeEngine


@pytest.mark.parametrize("side", [64, 512])
@pytest.mark.parametrize("output_format", list(ImageFormat))
async def test_what_the_encoder_wrote_is_read(output_format: ImageFormat, side: int) -> None:
    """To the byte, in every format, of one part or several."""
    request = builders.generate_image(width=side, height=side, output_format=output_format)
    (image,) = FakeEngine().generate(request, lambda *_: None)
    file = EncoderFile(asyncio.get_running_loop())
    await asyncio.to_thread(file.fill, partial(write_image, image=image, request=request, index=0))
    assert await file.reader.read() == encode_image(image, request, 0)


async def test_the_beginning_is_read_before_the_rest_is_written() -> None:
    """As soon as there is a part."""
    file, go_on, told = EncoderFile(asyncio.get_running_loop()), threading.Event(), list[bool]()

    def encode(out: BinaryIO) -> None:
        out.write(bytes(PART_BYTES))
        told.append(go_on.wait(10))
        out.write(b"rest")

    filling = asyncio.create_task(asyncio.to_thread(file.fill, encode))
    assert await file.reader.readexactly(PART_BYTES) == bytes(PART_BYTES)
    go_on.set()
    assert await file.reader.read() == b"rest"
    await filling
    assert told == [True]


async def test_an_encoder_that_fails_fails_whoever_reads() -> None:
    """Half a picture is none."""
    file = EncoderFile(asyncio.get_running_loop())

    def encode(out: BinaryIO) -> None:
        out.write(bytes(2 * PART_BYTES))
        raise OSError("the encoder broke")

    await asyncio.to_thread(file.fill, encode)
    with pytest.raises(OSError, match="the encoder broke"):
        await file.reader.read()
