"""OpenAPI for handlers that read their bodies themselves: which schemas they take, and the schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
)

_REFERENCE = "#/components/schemas/{name}"

_described: list[type[msgspec.Struct]] = []


def taking(*kinds: type[msgspec.Struct], form: tuple[str, ...] = ()) -> type[Operation]:
    """The `operation_class` of a handler whose JSON body is one of `kinds`, or a form with the files `form`."""
    describe(*kinds)
    references = [Reference(ref=reference(kind)) for kind in kinds]
    schema = references[0] if len(references) == 1 else Schema(any_of=references)

    @dataclass
    class Taking(Operation):
        def __post_init__(self) -> None:
            content = {"application/json": OpenAPIMediaType(schema)}
            if form:
                content["multipart/form-data"] = OpenAPIMediaType(Schema(all_of=[schema, _files(form)]))
            self.request_body = RequestBody(required=True, content=content)

    return Taking


def _files(names: tuple[str, ...]) -> Schema:
    file = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
    return Schema(type=OpenAPIType.OBJECT, properties=dict.fromkeys(names, file), required=list(names[:1]))


def describe(*kinds: type[msgspec.Struct]) -> None:
    """Have schemas in the description that no handler's signature mentions."""
    _described.extend(kind for kind in kinds if kind not in _described)


def reference(kind: type[msgspec.Struct]) -> str:
    """Where the description has a schema."""
    return _REFERENCE.format(name=kind.__name__)


def described_schemas() -> dict[str, Any]:
    """The schemas given to `taking` and `describe`, and those that they mention, as JSON Schema."""
    return msgspec.json.schema_components(_described, ref_template=_REFERENCE)[1]
