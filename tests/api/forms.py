"""Hooks for schemathesis (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out forms that are wrong as values and legal as the text that a form is.

    An array of one item or none is that value or no field at all; `null` is an empty field; 0 and 1 are booleans; a
    text may be a number.
    """
    if case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return True
    return not (case.meta.generation.mode.is_negative and any(map(_may_be_legal_as_text, case.body.values())))


def _may_be_legal_as_text(value: Any) -> bool:
    if isinstance(value, list | dict):
        return len(value) < 2
    if isinstance(value, str):
        return value.lower() in ("", "null", "true", "false") or _is_number(value)
    return value is None or (type(value) is int and value in (0, 1))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
