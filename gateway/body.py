"""Request bodies: JSON, or forms with files, of limited size and duration, with the field at fault named."""

from __future__ import annotations

import asyncio
import io
import re
from typing import TypeVar

import msgspec
from multipart import MultipartError, MultipartParser, parse_options_header

from contracts.errors import EaselError, ErrorCode
from gateway.auth import HttpRequest
from gateway.settings import GatewaySettings

T = TypeVar("T")

FILE_FIELDS = frozenset({"image", "mask"})
"""Form fields that hold pictures even where a client gives no file name."""

MAX_COMMAS = 20_000
"""In a JSON body. An empty list takes three bytes there and fifty times that in memory; pictures have no commas."""

_FIELD = re.compile(r"at `\$\.([A-Za-z0-9_]+)|(?:field|key) `([A-Za-z0-9_]+)`")


class Form(msgspec.Struct, frozen=True):
    """A multipart body: text by field name, the last of each standing; files by field name, in order."""

    fields: dict[str, str]
    files: dict[str, list[bytes]]


async def read_json(request: HttpRequest, settings: GatewaySettings, limit: int | None = None) -> bytes:
    """The body, unparsed; at most `limit` bytes, or `max_body_bytes`.

    A browser can make any page send other content types here without asking first, so only JSON is read.

    Raises:
        EaselError: INVALID_REQUEST (another type, cut short), PAYLOAD_TOO_LARGE, DEADLINE_EXCEEDED.
    """
    if not is_json(request):
        raise EaselError(ErrorCode.INVALID_REQUEST, "the body must be JSON: send Content-Type: application/json")
    data = await _read(request, settings, limit or settings.max_body_bytes)
    if data.count(b",") > MAX_COMMAS:
        message = f"the body has more than {MAX_COMMAS} commas, so too many fields or items"
        raise EaselError(ErrorCode.INVALID_REQUEST, message)
    return data


def is_json(request: HttpRequest) -> bool:
    """Whether the body says that it is JSON."""
    kind = _content_type(request)
    return kind == "application/json" or kind.endswith("+json")


async def read_form(request: HttpRequest, settings: GatewaySettings) -> Form:
    """A multipart body with files, of at most `max_upload_bytes`.

    Raises:
        EaselError: as `read_json`; PERMISSION_DENIED for what another site's page sends, which browsers do not ask
            about first with this content type.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        message = "the body must be a form with files: send Content-Type: multipart/form-data, or JSON"
        raise EaselError(ErrorCode.INVALID_REQUEST, message)
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise EaselError(ErrorCode.PERMISSION_DENIED, "forms are not taken from pages of other sites")
    data = await _read(request, settings, settings.max_upload_bytes)
    fields: dict[str, str] = {}
    files: dict[str, list[bytes]] = {}
    try:
        for part in _parts(data, options["boundary"]):
            if part.filename is None and part.name.removesuffix("[]") not in FILE_FIELDS:
                fields[part.name] = part.value
            else:
                files.setdefault(part.name.removesuffix("[]"), []).append(part.raw)
    except (MultipartError, UnicodeDecodeError) as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"the form cannot be read: {fault}") from fault
    return Form(fields, files)


def _parts(data: bytes, boundary: str) -> MultipartParser:
    """The parts of a form that is wholly in memory, and stays there."""
    size = len(data) + 1
    return MultipartParser(io.BytesIO(data), boundary, len(data), spool_limit=size, memory_limit=size)


def _content_type(request: HttpRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(request: HttpRequest, settings: GatewaySettings, limit: int) -> bytes:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise EaselError(ErrorCode.INVALID_REQUEST, "compressed request bodies are not read")
    too_large = EaselError(ErrorCode.PAYLOAD_TOO_LARGE, f"the body exceeds {limit} bytes")
    if int(request.content_length or 0) > limit:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            while True:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise EaselError(ErrorCode.INVALID_REQUEST, "the connection closed before the whole body came")
                parts.append(message["body"])
                size += len(parts[-1])
                if size > limit:
                    raise too_large
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError as fault:
        said = f"the body did not come within {settings.body_timeout_s:g} s"
        raise EaselError(ErrorCode.DEADLINE_EXCEEDED, said) from fault


def parse(data: bytes, kind: type[T]) -> T:
    """`data` as a `kind`.

    Raises:
        EaselError: INVALID_REQUEST, `param` being the field's name in `kind`.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as fault:
        raise _refusal(fault) from fault
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"the body is not readable JSON: {fault}") from fault


def parse_form(form: Form, kind: type[T]) -> T:
    """The text fields of a form as a `kind`; empty ones count as absent.

    Raises:
        EaselError: INVALID_REQUEST, `param` being the field's name.
    """
    given = {name: value for name, value in form.fields.items() if value != ""}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as fault:
        raise _refusal(fault) from fault


def field_names(data: bytes) -> set[str]:
    """The fields of an object that are not null.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    return {name for name, value in parse(data, dict[str, msgspec.Raw]).items() if bytes(value) != b"null"}


def _refusal(fault: msgspec.ValidationError) -> EaselError:
    found = _FIELD.search(str(fault))
    param = next((name for name in found.groups() if name), None) if found else None
    return EaselError(ErrorCode.INVALID_REQUEST, _plain(str(fault)), param=param)


def _plain(message: str) -> str:
    """`Expected `int`, got `str` - at `$.n`` as `n: expected int, got str`."""
    said, _, place = message.replace("`", "").partition(" - at ")
    said = said[:1].lower() + said[1:]
    return f"{place.removeprefix('$.')}: {said}" if place and place != "$" else said
