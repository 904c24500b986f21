"""Request bodies and failures, the same for both dialects."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from contracts.errors import EaselError, ErrorCode

T = TypeVar("T")

HttpRequest = Request[Any, Any, Any]
MAX_BODY_BYTES = 32 << 20

_STATUS = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNSUPPORTED: 400,
    ErrorCode.CONTENT_REFUSED: 400,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.UNAVAILABLE: 503,
}
_FROM_HTTP = {
    404: (ErrorCode.NOT_FOUND, "there is no such route here; there are /generate, /health and /sdapi/v1"),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "this route does not take this method"),
    413: (ErrorCode.PAYLOAD_TOO_LARGE, f"the body exceeds {MAX_BODY_BYTES} bytes"),
}


async def read_body(request: HttpRequest, kind: type[T]) -> T:
    """The JSON body as a `kind`; numbers may be written as text.

    Raises:
        EaselError: INVALID_REQUEST. Only JSON is read, because a browser lets any page send other types here unasked.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "application/json":
        raise EaselError(ErrorCode.INVALID_REQUEST, "the body must be JSON: send Content-Type: application/json")
    try:
        return msgspec.json.decode(await request.body(), type=kind, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        said = str(fault).replace("`", "").replace("$.", "")
        raise EaselError(ErrorCode.INVALID_REQUEST, f"the body is not what this route takes: {said}") from fault


def answer_failure(request: HttpRequest, fault: Exception) -> Response[Any]:
    """Every failure in the words of the dialect that was spoken."""
    error = _as_easel_error(fault)
    status = _STATUS.get(error.code, 500)
    headers = {} if error.retry_after_s is None else {"retry-after": str(max(1, math.ceil(error.retry_after_s)))}
    if not request.url.path.startswith("/sdapi/"):
        return Response({"status": "error", "error": error.message}, status_code=status, headers=headers)
    body = {"error": error.code.value, "detail": error.message, "body": "", "errors": error.message}
    unprocessable = error.code in (ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED)  # the web UI's word for it
    return Response(body, status_code=422 if unprocessable else status, headers=headers)


def _as_easel_error(fault: Exception) -> EaselError:
    if isinstance(fault, EaselError):
        return fault
    if isinstance(fault, HTTPException) and fault.status_code in range(400, 500):
        code, message = _FROM_HTTP.get(fault.status_code, (ErrorCode.INVALID_REQUEST, fault.detail))
        return EaselError(code, message)
    return EaselError(ErrorCode.INTERNAL, "a fault of this device's own; its log says more")
