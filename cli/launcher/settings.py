"""Settings of `easel up` itself; everything else belongs to the processes that it starts."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class LauncherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Each is also a flag, which wins."""

    workers: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Diffusion processes that `easel up` starts.",
            extra={"env": ("EASEL_WORKERS", "IMAGE_GEN_MAX_CONCURRENT")},
        ),
    ] = 1
    data_dir: Annotated[
        str,
        Meta(
            description="Folder of queue, pictures and logs. Empty: `$XDG_DATA_HOME/easel` or `~/.local/share/easel`.",
            extra={"env": ("EASEL_DATA_DIR",)},
        ),
    ] = ""
    nats_port: Annotated[
        int,
        Meta(ge=0, le=65535, description="Port of the bus; 0 for a free one.", extra={"env": ("EASEL_NATS_PORT",)}),
    ] = 0
