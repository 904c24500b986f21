"""Hooks for schemathesis (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out forms with an array of one item or none in a field.

    Such an array is wrong where one value is described, and legal on the wire: as that value, or as no field at all.
    """
    if case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return True
    return not any(isinstance(value, list | dict) and len(value) < 2 for value in case.body.values())
