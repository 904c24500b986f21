"""The API's description: `/schema/openapi.json` for programs and `/schema` for people, without a script or a CDN."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec
from litestar import Request, Router, get
from litestar.enums import MediaType, OpenAPIMediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.response import Redirect

from contracts.images import ImageFormat
from gateway.api.axera import schemas as axera
from gateway.api.jobs import schemas as jobs
from gateway.api.models import schemas as models
from gateway.api.openai import schemas as openai
from gateway.api.operation import describe, described_schemas, reference
from gateway.api.pipeline import schemas as pipeline
from gateway.api.prompt_assist import schemas as prompt_assist
from gateway.api.sdapi import schemas as sdapi
from gateway.auth import OPEN

_STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code { font-family: ui-monospace, monospace }
details { border: 1px solid #8886; border-radius: .4rem; margin: .5rem 0; padding: .5rem .8rem }
summary { cursor: pointer }
table { border-collapse: collapse; margin: .5rem 0 }
td, th { border-bottom: 1px solid #8886; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
"""
_KEY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


_FAILURES: tuple[tuple[str, tuple[type[msgspec.Struct], ...]], ...] = (
    ("/v1/images/generations", (openai.ErrorReply, prompt_assist.PromptAssistErrorReply)),
    ("/v1/prompts/", (prompt_assist.PromptAssistErrorReply,)),
    ("/v1/", (openai.ErrorReply,)),
    ("/sdapi/", (sdapi.SdErrorReply,)),
    ("/pipeline/", (pipeline.PipelineReply,)),
    ("/generate", (jobs.JobsErrorReply, axera.ModeErrorReply)),
    ("/", (jobs.JobsErrorReply,)),
)
_STREAMED = {
    **dict.fromkeys(("createImage", "createImageEdit", "createImageVariation"), openai.ImageEvent),
    "enhancePrompt": prompt_assist.EnhanceEvent,
    "loadModel": models.LoadEvent,
}
"""Operations that answer with events where the body says `stream`, and what these are."""
_PICTURES = ("getJobImage", "getJobThumbnail", "pipelineImage")
"""Operations that answer with a picture as it was asked for, in any format."""

describe(*_STREAMED.values(), *(kind for _, kinds in _FAILURES for kind in kinds))


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Litestar's description and what it cannot see: bodies that handlers read themselves, failures, and the keys."""
    components = document.get("components", {})
    schemas = {**components.get("schemas", {}), **described_schemas()}
    security: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"apiKey": []}]
    paths = {
        path: {method: _with_failures(path, operation) for method, operation in item.items()}
        for path, item in document["paths"].items()
    }
    return {
        **document,
        "paths": paths,
        "components": {**components, "schemas": schemas, "securitySchemes": _KEY},
        "security": security,
    }


def _with_failures(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation with its dialect's failures instead of Litestar's."""
    kinds = next(kinds for prefix, kinds in _FAILURES if path.startswith(prefix))
    references = [{"$ref": reference(kind)} for kind in kinds]
    failure = {
        "description": "A failure, in this dialect's words",
        "content": {"application/json": {"schema": references[0] if len(references) == 1 else {"anyOf": references}}},
    }
    if event := _STREAMED.get(operation.get("operationId", "")):
        stream = {"text/event-stream": {"schema": {"$ref": reference(event)}}}
        operation["responses"]["200"]["content"].update(stream)
    if operation.get("operationId") in _PICTURES:
        content = operation["responses"]["200"]["content"]
        content.update({form.content_type: content[ImageFormat.PNG.content_type] for form in ImageFormat})
    for media in operation["responses"].get("200", {}).get("content", {}).values():
        if "oneOf" in media["schema"]:  # an answer may have all fields of another
            media["schema"]["anyOf"] = media["schema"].pop("oneOf")
    answers = {status: answer for status, answer in operation["responses"].items() if status != "400"}
    return {**operation, "responses": {**answers, "default": failure}}


class _Json(OpenAPIRenderPlugin):
    def __init__(self) -> None:
        super().__init__(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return msgspec.json.encode(complete(openapi_schema))


class _Page(OpenAPIRenderPlugin):
    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return page(complete(openapi_schema)).encode()


RENDERERS = (_Json(), _Page())


def router() -> Router:
    """Where Litestar puts the pages; open to all, as they tell nothing about anybody."""
    return Router(path="/schema", route_handlers=[], include_in_schema=False, opt=OPEN)


@get(["/docs", "/redoc"], include_in_schema=False, opt=OPEN)
async def docs() -> Redirect:
    return Redirect("/schema")


HANDLERS = (docs,)


def page(document: dict[str, Any]) -> str:
    """The whole description as one HTML page."""
    info = document["info"]
    operations = [
        _operation(method, path, operation, document)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    title = escape(f"{info['title']} {info['version']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(info.get('description', ''))} For programs: "
        f'<a href="/schema/openapi.json">openapi.json</a>.</p>{"".join(operations)}</html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation['description'])}</p>" if operation.get("description") else ""]
    parts += [f"<h4>{escape(name)}</h4>{_fields(s, document)}" for name, s in _bodies(operation, document)]
    return (
        f"<details><summary><code><b>{method.upper()}</b> {escape(path)}</code> "
        f"{escape(operation.get('summary', ''))}</summary>{''.join(parts)}</details>"
    )


def _bodies(operation: dict[str, Any], document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each schema of the request and of the answers, with a heading."""
    found = []
    contents = [("Body", operation.get("requestBody", {}))]
    contents += [(f"Answer {status}", answer) for status, answer in operation.get("responses", {}).items()]
    for name, content in contents:
        for media in content.get("content", {}).values():
            schema = media.get("schema", {})
            found += [
                (f"{name} {_name(choice)}", _resolve(choice, document)) for choice in schema.get("anyOf", [schema])
            ]
    return [(name, schema) for name, schema in found if schema.get("properties")]


def _name(schema: dict[str, Any]) -> str:
    reference: str = schema.get("$ref", "")
    return reference.rsplit("/", 1)[-1]


def _resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"].get(_name(schema), schema)
    return found


def _fields(schema: dict[str, Any], document: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        f"<tr><td><code>{escape(name)}</code>{' *' if name in required else ''}<td>{escape(_type(field, document))}"
        f"<td>{escape(field.get('description', ''))}"
        for name, field in schema["properties"].items()
    ]
    return f"<table><tr><th>field<th>type<th>{''.join(rows)}</table>"


def _type(field: dict[str, Any], document: dict[str, Any]) -> str:
    """In a word or two."""
    if "anyOf" in field or "oneOf" in field:
        return " | ".join(_type(choice, document) for choice in field.get("anyOf") or field["oneOf"])
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "$ref" in field:
        target = _resolve(field, document)
        return _type(target, document) if "enum" in target else _name(field)
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), document)}"
    return str(field.get("type", "any"))
