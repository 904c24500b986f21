"""What an operator can set of the Pi edge; each is also a flag of `pi_axera_sd_generator`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read once, in `__main__`."""

    model_dir: Annotated[
        str,
        Meta(
            description="Folder of the model: graphs, time table and tokenizer.",
            extra={"env": ("EASEL_EDGE_MODEL_DIR", "TEXT_MODEL_DIR")},
        ),
    ] = "/opt/pi_axera_sd_generator/models"
    text_encoder: Annotated[
        str,
        Meta(
            description="The text encoder's graph, where it is not in the folder.",
            extra={"env": ("EASEL_EDGE_TEXT_ENCODER", "TEXT_ENCODER_MODEL")},
        ),
    ] = ""
    unet: Annotated[
        str,
        Meta(
            description="The denoiser's graph, where it is not in the folder.",
            extra={"env": ("EASEL_EDGE_UNET", "UNET_MODEL")},
        ),
    ] = ""
    vae_decoder: Annotated[
        str,
        Meta(
            description="The VAE decoder's graph, where it is not in the folder.",
            extra={"env": ("EASEL_EDGE_VAE_DECODER", "VAE_DECODER_MODEL")},
        ),
    ] = ""
    vae_encoder: Annotated[
        str,
        Meta(
            description="The VAE encoder's graph, where it is not in the folder. Without one there is no img2img.",
            extra={"env": ("EASEL_EDGE_VAE_ENCODER", "VAE_ENCODER_MODEL")},
        ),
    ] = ""
    time_table: Annotated[
        str,
        Meta(
            description="Time embeddings (.npy), where they are not in the folder; for txt2img and img2img alike.",
            extra={"env": ("EASEL_EDGE_TIME_TABLE", "TIME_INPUT_TXT2IMG")},
        ),
    ] = ""
    backend: Annotated[
        str,
        Meta(
            pattern="^(auto|axengine|onnxruntime)$",
            description="What runs the graphs: axengine (on the card), onnxruntime (on the CPU), or auto by the files' "
            "suffix, .axmodel or .onnx.",
            extra={"env": ("EASEL_EDGE_BACKEND",)},
        ),
    ] = "auto"
    provider: Annotated[
        str,
        Meta(
            pattern="^(auto|AXCLRTExecutionProvider|AxEngineExecutionProvider)$",
            description="axengine's way to the NPU: AXCLRTExecutionProvider (a card), AxEngineExecutionProvider (the "
            "board's own), or auto.",
            extra={"env": ("EASEL_EDGE_PROVIDER",)},
        ),
    ] = "auto"
    device_id: Annotated[
        int, Meta(ge=0, le=255, description="Which card, from 0.", extra={"env": ("EASEL_EDGE_DEVICE_ID",)})
    ] = 0
    threads: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="Threads of onnxruntime; 0: one for each core.",
            extra={"env": ("EASEL_EDGE_THREADS",)},
        ),
    ] = 0
    host: Annotated[
        str,
        Meta(
            description="Address of the device's own HTTP server. It asks nobody for a key: open it to networks you "
            "trust only.",
            extra={"env": ("EASEL_EDGE_HOST",)},
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(ge=0, le=65535, description="Port of the HTTP server.", extra={"env": ("EASEL_EDGE_PORT",)}),
    ] = 5000
    http: Annotated[bool, Meta(description="Whether to serve HTTP at all.", extra={"env": ("EASEL_EDGE_HTTP",)})] = True
    wait_s: Annotated[
        float,
        Meta(
            ge=0,
            le=25,
            description="Seconds that a request over HTTP waits for the card before it is told to come back; with the "
            "drawing it must stay below its client's patience (the picker's is 30 s).",
            extra={"env": ("EASEL_EDGE_WAIT_S",)},
        ),
    ] = 15.0
    max_waiting: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Requests over HTTP at once, the one at the card included.",
            extra={"env": ("EASEL_EDGE_MAX_WAITING",)},
        ),
    ] = 8
    bus: Annotated[
        bool,
        Meta(
            description="Whether to take jobs from the bus (`EASEL_NATS_URL`) as well.",
            extra={"env": ("EASEL_EDGE_BUS",)},
        ),
    ] = False
