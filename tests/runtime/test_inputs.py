"""Pictures that clients send: what is read, what it becomes, what is refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, ImageChops, ImageOps
from PIL.PngImagePlugin import PngInfo

from contracts.errors import EaselError, ErrorCode
from contracts.sent_pictures import MAX_SIDE, read_header
from runtime.worker.images.inputs import decode_image, decode_mask
from tests.support.bombs import chunk, png
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


def varied(mode: str) -> Image.Image:
    """Shades that differ across and down."""
    across = Image.linear_gradient("L").resize((100, 70))
    bands = [across, across.rotate(180), across.transpose(Image.Transpose.FLIP_TOP_BOTTOM).rotate(20), across.rotate(9)]
    match mode:
        case "RGB" | "RGBA" | "LA" | "CMYK":
            return Image.merge(mode, bands[: len(Image.new(mode, (1, 1)).getbands())])
        case "P":
            return Image.merge("RGB", bands[:3]).quantize(64)
        case "I;16":
            return Image.frombytes(mode, across.size, b"".join(bytes((it, it)) for it in across.tobytes()))
        case _:
            return across.convert(mode)


MODES = {
    "RGB": {},
    "RGBA": {},
    "L": {},
    "LA": {},
    "1": {},
    "P": {},
    "I;16": {},
    "P with one transparent": {"transparency": 3},
    "P with alphas": {"transparency": bytes(range(0, 256, 4))},
    "RGB with one transparent": {"transparency": (0, 255, 0)},
    "L with one transparent": {"transparency": 9},
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", MODES)
def test_a_picture_is_what_turning_flattening_and_fitting_it_whole_makes(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = as_bytes(varied(name.partition(" ")[0]), exif=exif, **MODES[name])
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if upright.has_transparency_data:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
    expected = ImageOps.fit(upright.convert("RGB"), (64, 32), Image.Resampling.LANCZOS)
    assert decode_image(data, REQUEST).tobytes() == expected.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_transparency_of_a_mask_is_what_fitting_it_whole_makes(mode: str) -> None:
    mask = varied(mode)
    where = ImageChops.invert(mask.getchannel("A")) if mode == "RGBA" else mask.convert("L")
    expected = ImageOps.fit(where, (64, 32), Image.Resampling.LANCZOS)
    assert decode_mask(as_bytes(mask), REQUEST).tobytes() == expected.tobytes()


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_picture_that_is_brought_down_in_strips_is_as_if_it_were_not(orientation: int) -> None:
    """Up to what rounding does in another order."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = varied("RGBA").resize((1900, 1100), Image.Resampling.BICUBIC)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(as_bytes(large, exif=exif, compress_level=1))))
    upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    expected = ImageOps.fit(upright, (512, 320), Image.Resampling.LANCZOS)
    found = decode_image(as_bytes(large, exif=exif, compress_level=1), generate_image(width=512, height=320))
    assert max(high for _, high in ImageChops.difference(found, expected).getextrema()) <= 2


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_too_large_for_memory_is_decoded_at_a_half(progressive: bool) -> None:
    """And its right side stays at the right."""
    photograph = Image.new("RGB", (4000, 3000), "blue")
    photograph.paste("red", (2000, 0, 4000, 3000))
    data = as_bytes(photograph, "JPEG", progressive=progressive)
    assert read_header(data, "init_image").scale in (2, 4)
    image = decode_image(data, REQUEST)
    assert image.size == (64, 32)
    assert [round(it / 255) for it in image.getpixel((8, 16))] == [0, 0, 1]
    assert [round(it / 255) for it in image.getpixel((56, 16))] == [1, 0, 0]


@pytest.mark.parametrize(
    ("size", "kind", "how", "says"),
    [
        (
            (4000, 3000),
            "PNG",
            {"compress_level": 1},
            "at most 8192 a side and 10000000 .* make it smaller, or send a JPEG",
        ),
        ((2000, 1400), "WEBP", {"method": 0}, "2097152 .* make it smaller, or send a PNG or JPEG"),
        (
            (4000, 3000),
            "JPEG",
            {"progressive": True, "subsampling": 0},
            "progressive .* make it smaller, or save it as",
        ),
        ((8200, 10), "JPEG", {}, "at most 8192 a side .* make it smaller$"),
    ],
)
def test_a_picture_beyond_a_limit_is_told_what_to_do(
    size: tuple[int, int], kind: str, how: dict[str, object], says: str
) -> None:
    with pytest.raises(EaselError, match=says):
        decode_image(as_bytes(Image.new("RGB", size), kind, **how), REQUEST)


def test_a_file_that_carries_more_than_a_picture_is_refused() -> None:
    with pytest.raises(EaselError, match="carries too much beside its pixels"):
        decode_image(png(8, 8, chunk(b"prVt", bytes(16_000_000)), pixels=bytes(9 * 8)), REQUEST)


def test_profiles_and_texts_as_programs_write_them_do_no_harm() -> None:
    texts = PngInfo()
    for number in range(5):
        texts.add_itxt(f"XML:{number}", "a" * 9999, zip=True)
        texts.add_text(f"t{number}", "a" * 9999)
    data = as_bytes(Image.new("RGB", (100, 100)), pnginfo=texts, icc_profile=bytes(3000))
    assert decode_image(data, REQUEST).size == (64, 32)


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
