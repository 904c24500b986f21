"""What is fuzzed. A lane takes bytes; an answer or an `EaselError` is right, anything else is a find.

They run on the corpus and on hypothesis' ideas in `test_lanes.py`, and under libFuzzer with `make fuzz`.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable

import msgspec

from contracts.capability import check
from contracts.errors import EaselError
from contracts.events import EventId
from contracts.images import MAX_IMAGES, MAX_PROMPT_CHARACTERS
from contracts.sent_pictures import MAX_PIXELS, MAX_SIDE
from gateway.api.axera import convert as axera
from gateway.api.axera import schemas as axera_schemas
from gateway.api.chat import convert as chat
from gateway.api.chat import schemas as chat_schemas
from gateway.api.chat.intent import by_words
from gateway.api.jobs import convert as jobs
from gateway.api.jobs import schemas as jobs_schemas
from gateway.api.mcp import convert as mcp
from gateway.api.mcp import schemas as mcp_schemas
from gateway.api.openai import convert as openai
from gateway.api.openai import schemas as openai_schemas
from gateway.api.prompt_assist import convert as prompt_assist
from gateway.api.prompt_assist import schemas as prompt_assist_schemas
from gateway.api.sdapi import convert as sdapi
from gateway.api.sdapi import schemas as sdapi_schemas
from gateway.api.sdapi.png_info import read_png_info
from gateway.body import _parts, parse
from gateway.pictures import picture_from_text, picture_size
from gateway.resolve import Wanted, resolve
from gateway.settings import GatewaySettings
from runtime.worker.images.inputs import decode_image, decode_mask
from tests.gateway.conftest import model_info
from tests.support.builders import generate_image

Lane = Callable[[bytes], None]
MODEL, SETTINGS, REQUEST = model_info(img2img=True, inpaint=True), GatewaySettings(), generate_image()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def picture_header(data: bytes) -> None:
    """What the gateway looks at: the size is within the limits, or refused."""
    width, height = picture_size(data, "image")
    assert 1 <= width <= MAX_SIDE
    assert 1 <= height <= MAX_SIDE
    assert width * height <= max(MAX_PIXELS.values())


def picture_decoder(data: bytes) -> None:
    """What the worker decodes: as the request has it, or refused."""
    with contextlib.suppress(EaselError):
        mask = decode_mask(data, REQUEST)
        assert (mask.mode, mask.size) == ("L", (REQUEST.width, REQUEST.height))
    image = decode_image(data, REQUEST)
    assert (image.mode, image.size) == ("RGB", (REQUEST.width, REQUEST.height))


def data_url(data: bytes) -> None:
    """Base64, data URLs, addresses; nothing is fetched, and what was encoded is what comes out."""
    assert picture_from_text(base64.b64encode(data).decode(), "image") == data
    assert picture_from_text("data:image/png;base64," + base64.b64encode(data).decode(), "image") == data
    picture_from_text(_text(data), "image")


def size(data: bytes) -> None:
    width, height = openai.size(_text(data))
    request = resolve(Wanted(prompt="a", width=width, height=height), MODEL, SETTINGS).request
    check(MODEL, request)


def infotext(data: bytes) -> None:
    """The texts in a PNG, taken apart."""
    with contextlib.suppress(EaselError):
        msgspec.json.encode(read_png_info(data))
    body = b"parameters\0" + data
    chunk = len(body).to_bytes(4, "big") + b"tEXt" + body + bytes(4)
    answer = read_png_info(b"\x89PNG\r\n\x1a\n" + chunk)
    assert answer.info == data.decode("latin-1")
    msgspec.json.encode(answer)


def event_id(data: bytes) -> None:
    found = EventId.parse(_text(data))
    assert found is None or EventId.parse(str(found)) == found


def chat_message(data: bytes) -> None:
    """The rules that say whether a message asks for a picture."""
    message = data.decode("utf-8", "replace")
    for shows_picture in (False, True):
        by_words(message, None, shows_picture=shows_picture)


def form(data: bytes) -> None:
    """A multipart body."""
    from multipart import MultipartError

    with contextlib.suppress(MultipartError, UnicodeDecodeError):
        for part in _parts(b"--b\r\n" + data + b"\r\n--b--\r\n", "b"):
            assert part.filename is not None or isinstance(part.value, str)


def _chat(body: chat_schemas.ChatImageRequest) -> Wanted:
    chat.linked_job(body)
    return chat.wanted(body, chat.message_of(body))


DIALECTS: dict[str, tuple[type[msgspec.Struct], Callable[..., Wanted]]] = {
    "openai": (openai_schemas.ImagesRequest, openai.wanted),
    "openai-edits": (openai_schemas.EditsRequest, lambda body: openai.wanted_edit(body, None, None)),
    "jobs": (jobs_schemas.GenerateRequest, jobs.wanted),
    "axera": (axera_schemas.ModeRequest, axera.wanted),
    "sdapi": (sdapi_schemas.Txt2ImgRequest, lambda body: sdapi.wanted(body, None)),
    "sdapi-img2img": (sdapi_schemas.Img2ImgRequest, lambda body: sdapi.wanted_edit(body, None)),
    "prompt-assist": (prompt_assist_schemas.GenerationRequest, prompt_assist.wanted),
    "chat": (chat_schemas.ChatImageRequest, _chat),
    "mcp": (mcp_schemas.GenerateArguments, mcp.wanted),
    "mcp-edit": (mcp_schemas.EditArguments, lambda body: mcp.wanted_edit(body, None)),
}


def converted(dialect: str, body: bytes) -> None:
    """A body as a dialect reads it: what is queued is within every limit of its model, whatever was asked.

    Raises:
        EaselError: it was refused.
    """
    kind, wanted = DIALECTS[dialect]
    within_limits(wanted(parse(body, kind)))


def within_limits(asked: Wanted) -> None:
    """As `converted`, for what is wanted."""
    request = resolve(msgspec.structs.replace(asked, model=None), MODEL, SETTINGS).request
    check(MODEL, request)
    assert 1 <= request.num_images <= MAX_IMAGES
    assert request.width * request.height <= MODEL.max_pixels
    assert MODEL.min_steps <= request.num_inference_steps <= MODEL.max_steps
    assert 0 <= request.guidance_scale <= MODEL.max_guidance_scale
    assert len(request.prompt) <= MAX_PROMPT_CHARACTERS
    msgspec.msgpack.encode(request)


def body(data: bytes) -> None:
    """JSON for every dialect."""
    for dialect in DIALECTS:
        with contextlib.suppress(EaselError):
            converted(dialect, data)


LANES: dict[str, Lane] = {
    lane.__name__: lane
    for lane in (picture_header, picture_decoder, data_url, size, infotext, event_id, chat_message, form, body)
}


def run(name: str, data: bytes) -> None:
    """One input through a lane; returns unless it found something."""
    with contextlib.suppress(EaselError):
        LANES[name](data)
