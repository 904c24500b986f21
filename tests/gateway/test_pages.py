"""The API's description is complete, consistent and readable without the internet."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest


@pytest.fixture
async def document(alone: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await alone.get("/schema/openapi.json")).json()
    return found


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Those of bodies that handlers read themselves too."""
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])
    assert {"ImagesRequest", "GenerationRequest", "GenerateRequest", "ErrorReply", "JobsErrorReply"} <= names


async def test_all_promised_routes_are_described(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert {
        ("POST", "/v1/images/generations"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{model_id}"),
        ("POST", "/generate"),
        ("POST", "/generate/async"),
        ("GET", "/job/{job_id}"),
        ("DELETE", "/job/{job_id}"),
        ("GET", "/job/{job_id}/result"),
        ("GET", "/job/{job_id}/image"),
        ("GET", "/job/{job_id}/events"),
        ("GET", "/jobs"),
        ("GET", "/workers"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/startupz"),
        ("GET", "/health"),
    } <= described


async def test_every_operation_describes_its_failures_in_its_dialect(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
            schema = schema.get("anyOf", [schema])[0]["$ref"]
            first = path.split("/")[1]
            kinds = {"v1": "ErrorReply", "sdapi": "SdErrorReply", "pipeline": "PipelineReply"}
            kind = "PromptAssistErrorReply" if path.startswith("/v1/prompts/") else kinds.get(first, "JobsErrorReply")
            assert schema.endswith(f"/{kind}"), path


@pytest.mark.parametrize("path", ["/v1/images/edits", "/v1/images/variations"])
async def test_a_form_needs_its_picture_and_may_leave_other_fields_empty(document: dict[str, Any], path: str) -> None:
    """As browsers do with fields that nobody filled in."""
    body = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    form = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert "image" in form["required"]
    assert form["properties"]["image"]["format"] == "binary"
    assert {"type": "string", "maxLength": 0} in form["properties"]["stream"]["anyOf"]


async def test_answers_in_streams_and_pictures_in_every_format_are_described(document: dict[str, Any]) -> None:
    def kinds(method: str, path: str) -> set[str]:
        return set(document["paths"][path][method]["responses"]["200"]["content"])

    for path in ("/v1/images/generations", "/v1/images/edits", "/v1/prompts/enhance", "/models/load"):
        assert kinds("post", path) == {"application/json", "text/event-stream"}, path
    for path in ("/job/{job_id}/image", "/job/{job_id}/thumbnail", "/pipeline/image"):
        assert {"image/png", "image/jpeg", "image/webp"} <= kinds("get", path), path


@pytest.mark.parametrize("path", ["/schema", "/docs", "/redoc"])
async def test_people_read_it_without_scripts_or_other_servers(alone: httpx.AsyncClient, path: str) -> None:
    answer = await alone.get(path, follow_redirects=True)
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert "/v1/images/generations" in answer.text
    assert "<script" not in answer.text
    assert not re.search(r'(src|href)="(https?:)?//', answer.text)
