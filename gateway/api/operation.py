"""OpenAPI for handlers that read their bodies themselves: which schemas they take, and the schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody, Schema

_REFERENCE = "#/components/schemas/{name}"

_EMPTY = {"type": "string", "maxLength": 0}
_FILE = {"type": "string", "format": "binary"}

_described: list[type[msgspec.Struct]] = []
_forms: dict[type[msgspec.Struct], tuple[str, ...]] = {}


def taking(*kinds: type[msgspec.Struct], form: tuple[str, ...] = ()) -> type[Operation]:
    """The `operation_class` of a handler whose JSON body is one of `kinds`.

    With `form`, the first of them may come as a form too, with files of these names, the first of which must be there.
    """
    describe(*kinds)
    references = [Reference(ref=reference(kind)) for kind in kinds]
    schema = references[0] if len(references) == 1 else Schema(any_of=references)

    @dataclass
    class Taking(Operation):
        def __post_init__(self) -> None:
            content = {"application/json": OpenAPIMediaType(schema)}
            if form:
                _forms[kinds[0]] = form
                content["multipart/form-data"] = OpenAPIMediaType(
                    Reference(ref=_REFERENCE.format(name=_form(kinds[0])))
                )
            self.request_body = RequestBody(required=True, content=content)

    return Taking


def _form(kind: type[msgspec.Struct]) -> str:
    return f"{kind.__name__}Form"


def _as_form(schema: dict[str, Any], files: tuple[str, ...]) -> dict[str, Any]:
    """In a form an optional field may be empty, which counts as absent: browsers send those that nobody filled in."""
    required = schema.get("required", [])
    fields = {name: field if name in required else _or_empty(field) for name, field in schema["properties"].items()}
    return {
        **schema,
        "properties": fields | dict.fromkeys(files, _FILE),
        "required": sorted({*required, *files[:1]}),
    }


def _or_empty(field: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in field:
        return {**field, "anyOf": [*field["anyOf"], _EMPTY]}
    return {"anyOf": [field, _EMPTY]}


def describe(*kinds: type[msgspec.Struct]) -> None:
    """Have schemas in the description that no handler's signature mentions."""
    _described.extend(kind for kind in kinds if kind not in _described)


def reference(kind: type[msgspec.Struct]) -> str:
    """Where the description has a schema."""
    return _REFERENCE.format(name=kind.__name__)


def described_schemas() -> dict[str, Any]:
    """The schemas given to `taking` and `describe`, and those that they mention, as JSON Schema."""
    found: dict[str, Any] = msgspec.json.schema_components(_described, ref_template=_REFERENCE)[1]
    return found | {_form(kind): _as_form(found[kind.__name__], files) for kind, files in _forms.items()}
