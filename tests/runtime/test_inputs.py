"""Pictures that clients send: what is read, what it becomes, what is refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from runtime.worker.images.inputs import MAX_SIDE, decode_image, decode_mask
from runtime.worker.images.previews import preview_steps
from tests.support.builders import generate_image

REQUEST = generate_image(width=64, height=32)


def as_bytes(image: Image.Image, kind: str = "PNG", **rest: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **rest)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_becomes_rgb_of_the_size_asked_for(kind: str) -> None:
    image = decode_image(as_bytes(Image.new("RGB", (100, 100), "red"), kind), REQUEST)
    assert (image.mode, image.size) == ("RGB", (64, 32))


def test_another_shape_is_cropped_at_the_centre_and_not_stretched() -> None:
    tall = Image.new("RGB", (64, 96), "blue")
    tall.paste("red", (0, 32, 64, 64))
    assert decode_image(as_bytes(tall), REQUEST).getcolors() == [(64 * 32, (255, 0, 0))]


def test_transparent_pixels_become_white() -> None:
    image = decode_image(as_bytes(Image.new("RGBA", (64, 32), (255, 0, 0, 0))), REQUEST)
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter to the left by its camera
    lying = Image.new("RGB", (32, 64), "blue")
    lying.paste("red", (0, 0, 32, 8))
    image = decode_image(as_bytes(lying, "PNG", exif=exif), REQUEST)
    assert image.getpixel((63, 16)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a PNG"),
        (b"GIF89a" + bytes(50), "not a PNG"),
        (as_bytes(Image.new("RGB", (8, 8)), "GIF"), "not a PNG"),
        (as_bytes(Image.effect_noise((64, 64), 90))[:300], "cannot be decoded"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(EaselError, match=says) as caught:
        decode_image(data, REQUEST)
    assert (caught.value.code, caught.value.param) == (ErrorCode.INVALID_REQUEST, "init_image")


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    """The data behind the header does not even exist."""
    header = struct.pack(">IIBBBBB", MAX_SIDE + 1, MAX_SIDE + 1, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    bomb += struct.pack(">I", 9) + b"IDAT"
    with pytest.raises(EaselError, match=f"{MAX_SIDE + 1}x{MAX_SIDE + 1} pixels"):
        decode_image(bomb, REQUEST)


def test_transparent_pixels_of_a_mask_are_painted() -> None:
    mask = Image.new("RGBA", (64, 32), (255, 255, 255, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 32, 32))
    where = decode_mask(as_bytes(mask), REQUEST)
    assert (where.getpixel((0, 0)), where.getpixel((63, 0))) == (255, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_white_pixels_of_a_mask_without_transparency_are_painted(mode: str) -> None:
    mask = Image.new("RGB", (64, 32), "black")
    mask.paste("white", (0, 0, 32, 32))
    where = decode_mask(as_bytes(mask.convert(mode)), REQUEST)
    assert (where.getpixel((0, 0)), where.getpixel((63, 0))) == (255, 0)


def test_an_inverted_mask_paints_the_rest() -> None:
    mask = Image.new("L", (64, 32), 0)
    mask.paste(255, (0, 0, 32, 32))
    where = decode_mask(as_bytes(mask), generate_image(width=64, height=32, mask_inverted=True))
    assert (where.getpixel((0, 0)), where.getpixel((63, 0))) == (0, 255)


def test_a_blurred_mask_has_a_soft_edge() -> None:
    mask = Image.new("L", (64, 32), 0)
    mask.paste(255, (0, 0, 32, 32))
    where = decode_mask(as_bytes(mask), generate_image(width=64, height=32, mask_blur=4))
    assert 0 < where.getpixel((32, 16)) < 255


def test_a_mask_that_leaves_nothing_to_paint_is_refused() -> None:
    with pytest.raises(EaselError, match="nothing to paint") as caught:
        decode_mask(as_bytes(Image.new("L", (64, 32), 0)), REQUEST)
    assert caught.value.param == "mask_image"


@pytest.mark.parametrize(
    ("count", "total", "steps"),
    [(0, 8, set()), (1, 8, {4}), (3, 8, {2, 4, 6}), (3, 2, {1}), (3, 1, set()), (100, 4, {1, 2, 3})],
)
def test_previews_are_spread_over_the_steps_and_end_before_the_last(count: int, total: int, steps: set[int]) -> None:
    assert preview_steps(count, total) == steps
