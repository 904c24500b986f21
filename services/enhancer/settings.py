"""What an operator can set of the enhancer."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class EnhancerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read once, in `__main__`."""

    url: Annotated[
        str,
        Meta(
            description="Server with OpenAI's /v1/chat/completions, such as llama.cpp's llama-server. "
            "Empty: a small model in this process.",
            pattern="^(https?://[^/?#]+[^?#]*)?$",
            extra={"env": ("EASEL_ENHANCER_URL",)},
        ),
    ] = ""
    key: Annotated[str, Meta(description="API key for that server.", extra={"env": ("EASEL_ENHANCER_KEY",)})] = ""
    model: Annotated[
        str,
        Meta(
            description="Model's name on that server; without a server a GGUF file of the Llama family. "
            "Empty: the server's only one, or the one that comes with Easel.",
            extra={"env": ("EASEL_ENHANCER_MODEL",)},
        ),
    ] = ""
    engine: Annotated[
        str,
        Meta(
            pattern="^(auto|http|openvino|llama-cpp|none)$",
            description="auto: http where there is a URL, else what is installed of openvino and llama-cpp. none: "
            "`easel up` starts no enhancer.",
            extra={"env": ("EASEL_ENHANCER_ENGINE",)},
        ),
    ] = "auto"
    method: Annotated[
        str,
        Meta(
            pattern="^(auto|rewrite|choose)$",
            description="rewrite: the model writes the whole prompt, and it is checked; needs a capable one. choose: "
            "it chooses among phrases that go after the prompt. auto: rewrite with a server, else choose.",
            extra={"env": ("EASEL_ENHANCER_METHOD",)},
        ),
    ] = "auto"
    concurrency: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Prompts that a server gets at once; a model in this process takes one.",
            extra={"env": ("EASEL_ENHANCER_CONCURRENCY",)},
        ),
    ] = 4
    max_waiting: Annotated[
        int,
        Meta(
            ge=0,
            description="Prompts that wait for the language model at most; more are refused at once.",
            extra={"env": ("EASEL_ENHANCER_MAX_WAITING",)},
        ),
    ] = 32
    cache_size: Annotated[
        int,
        Meta(ge=0, description="Enhanced prompts to remember.", extra={"env": ("EASEL_ENHANCER_CACHE_SIZE",)}),
    ] = 1024
