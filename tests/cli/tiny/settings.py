from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class TinyGatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    host: Annotated[str, Meta(extra={"env": ("EASEL_GATEWAY_HOST",)})] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, extra={"env": ("EASEL_GATEWAY_PORT",)})] = 8000
    keys_file: Annotated[str, Meta(extra={"env": ("EASEL_GATEWAY_KEYS_FILE",)})] = ""
