"""Every failure as HTTP tells it: the status and headers of each code, once, for all dialects."""

from __future__ import annotations

import math

from litestar.exceptions import HTTPException, ValidationException

from contracts.errors import EaselError, ErrorCode

HTTP_STATUS: dict[ErrorCode, int] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNSUPPORTED: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.CONTENT_REFUSED: 400,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.MODEL_NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.QUEUE_FULL: 429,
    ErrorCode.LIMIT_REACHED: 429,
    ErrorCode.DEADLINE_EXCEEDED: 504,
    ErrorCode.CANCELLED: 499,
    ErrorCode.ENGINE_FAILED: 500,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
}

_NOT_WORTH_REPEATING = {ErrorCode.CONFLICT, ErrorCode.DEADLINE_EXCEEDED, ErrorCode.ENGINE_FAILED, ErrorCode.CANCELLED}
"""OpenAI's packages repeat 409 and every 5xx unless told otherwise, and each repetition draws again."""

_FROM_LITESTAR: dict[int, tuple[ErrorCode, str]] = {
    404: (ErrorCode.NOT_FOUND, "there is no such route; /docs lists them"),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "this route does not take this method; /docs lists them"),
    413: (ErrorCode.PAYLOAD_TOO_LARGE, "the request body is too large"),
}
_LONGEST_WAIT_S = 60
_CLIENT_FAULT = range(400, 500)


def easel_error(fault: Exception) -> EaselError | None:
    """What a client may be told of `fault`; None for a fault of ours."""
    if isinstance(fault, EaselError):
        return fault
    if not isinstance(fault, HTTPException) or fault.status_code not in _CLIENT_FAULT:
        return None
    if isinstance(fault, ValidationException) and isinstance(fault.extra, list) and fault.extra:
        first = fault.extra[0]
        return EaselError(ErrorCode.INVALID_REQUEST, f"{first['key']}: {first['message']}", param=first["key"])
    code, message = _FROM_LITESTAR.get(fault.status_code, (ErrorCode.INVALID_REQUEST, fault.detail))
    return EaselError(code, message)


def error_headers(error: EaselError) -> dict[str, str]:
    """What the status alone does not say: when to come back, whether to repeat, how to authenticate."""
    headers = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(whole_seconds(error.retry_after_s))
        if error.code is ErrorCode.LIMIT_REACHED and error.retry_after_s > _LONGEST_WAIT_S:  # a day's limit: true
            headers |= {"retry-after": str(math.ceil(error.retry_after_s)), "x-should-retry": "false"}
    if error.code in _NOT_WORTH_REPEATING:
        headers["x-should-retry"] = "false"
    if error.code is ErrorCode.UNAUTHENTICATED:
        headers["www-authenticate"] = 'Bearer realm="easel"'
    return headers


def whole_seconds(seconds: float) -> int:
    """1 … 60: OpenAI's packages ignore longer waits or give up on them."""
    return max(1, min(_LONGEST_WAIT_S, math.ceil(seconds)))
