"""What the tools take; models read the descriptions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

NAME = "generate_image"

_Positive = Annotated[int, Meta(ge=1)]
_Seed = Annotated[int, Meta(ge=-1)]
_Guidance = Annotated[float, Meta(ge=0)]
_Share = Annotated[float, Meta(ge=0, le=1)]


class GenerateArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Draw a picture from a description, and return it."""

    prompt: Annotated[str, Meta(min_length=1, description="What to draw, in words that describe the picture.")]
    negative_prompt: Annotated[str | None, Meta(description="What to avoid.")] = None
    width: Annotated[_Positive | None, Meta(description="Pixels, rounded for the model; leave out for its own.")] = None
    height: Annotated[_Positive | None, Meta(description="Pixels, rounded for the model; leave out for its own.")] = (
        None
    )
    seed: Annotated[_Seed | None, Meta(description="The same seed draws the same picture; -1 for any.")] = None
    steps: Annotated[_Positive | None, Meta(description="Denoising steps; leave out for the model's own.")] = None
    guidance_scale: Annotated[_Guidance | None, Meta(description="How closely to follow the prompt.")] = None
    model: Annotated[str | None, Meta(description="One of list_models; leave out for the default.")] = None


class EditArguments(GenerateArguments, kw_only=True):
    """Draw a picture that starts from another: one of an earlier job, or one that is sent."""

    job_id: Annotated[str | None, Meta(description="Start from the first picture of this job.")] = None
    image: Annotated[str | None, Meta(description="Or from this one: PNG, JPEG or WebP in base64.")] = None
    mask: Annotated[str | None, Meta(description="Where to paint: transparent, or white, pixels; base64.")] = None
    strength: Annotated[_Share | None, Meta(description="How far to go from it; 1 keeps nothing.")] = None


class JobArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a job stands: its state, step, seed and the links to its pictures."""

    job_id: Annotated[str, Meta(description="As generate_image told it.")]


class ModelsArguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The models that can draw now, with their sizes and limits."""


class Function(msgspec.Struct, kw_only=True):
    """Of `FunctionTool`."""

    name: str = NAME
    description: str
    parameters: dict[str, Any]


class FunctionTool(msgspec.Struct, kw_only=True):
    """`GET /v1/tools/generate_image`: an entry for `tools` of a chat completion."""

    type: Literal["function"] = "function"
    function: Function


def arguments_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON Schema of a tool's arguments, without references."""
    _, components = msgspec.json.schema_components([kind])
    found: dict[str, Any] = components[kind.__name__]
    return {name: value for name, value in found.items() if name != "title"}
