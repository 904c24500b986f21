"""What an operator can set of the diffusion service."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class DiffusionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read once, in `__main__`."""

    models: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            description="Models to offer, the first one for who names none: ids or hub ids of the catalogue, or "
            "folders in diffusers format.",
            extra={
                "env": (
                    "EASEL_DIFFUSION_MODELS",
                    "IMAGE_GEN_MODEL",
                    "MODEL",
                    "TEXT_TO_IMAGE_STABLE_DIFFUSION_MODEL_ID",
                )
            },
        ),
    ] = ("pocket",)
    models_file: Annotated[
        str,
        Meta(
            description="TOML file with models of your own, in the form of services/diffusion/catalogue.toml.",
            extra={"env": ("EASEL_DIFFUSION_MODELS_FILE",)},
        ),
    ] = ""
    engine: Annotated[
        str,
        Meta(
            pattern="^(auto|diffusers|openvino)$",
            description="What draws: diffusers (on torch), openvino (diffusers with OpenVINO's networks), or auto: "
            "on CPUs whichever is found faster at a model's first load, openvino on devices that torch does not know, "
            "else diffusers.",
            extra={"env": ("EASEL_DIFFUSION_ENGINE",)},
        ),
    ] = "auto"
    device: Annotated[
        str,
        Meta(
            description="auto (the first of cuda, xpu, mps, cpu that is there), gpu (the same without cpu), or one by "
            "name, such as cuda:1; of OpenVINO: auto, cpu, gpu, npu, gpu.1.",
            extra={"env": ("EASEL_DIFFUSION_DEVICE", "TEXT_TO_IMAGE_STABLE_DIFFUSION_DEVICE")},
        ),
    ] = "auto"
    openvino_weights: Annotated[
        str,
        Meta(
            pattern="^(float16|int8)$",
            description="How the engine openvino keeps a converted denoiser: int8 halves its folder.",
            extra={"env": ("EASEL_DIFFUSION_OPENVINO_WEIGHTS",)},
        ),
    ] = "float16"
    openvino_static: Annotated[
        bool,
        Meta(
            description="Compile the engine openvino's networks for each size that is asked: faster steps, seconds of "
            "compiling at each new one. NPUs always do.",
            extra={"env": ("EASEL_DIFFUSION_OPENVINO_STATIC",)},
        ),
    ] = False
    cache_dir: Annotated[
        str,
        Meta(
            description="Folder of converted and compiled models. Empty: `$XDG_CACHE_HOME/easel` or `~/.cache/easel`.",
            extra={"env": ("EASEL_DIFFUSION_CACHE_DIR",)},
        ),
    ] = ""
    dtype: Annotated[
        str,
        Meta(
            pattern="^(auto|float32|bfloat16|float16)$",
            description="Number format of the weights: auto chooses by device and model. 16 bits are faster and "
            "halve the memory; float32 draws a picture alone and among others alike to the last digit but one.",
            extra={"env": ("EASEL_DIFFUSION_DTYPE",)},
        ),
    ] = "auto"
    attention_backend: Annotated[
        str,
        Meta(
            pattern="^[a-z0-9_]*$",
            description="What computes the attention of FLUX and Z-Image on torch, as diffusers calls it (native, "
            "flash, sage, xformers, _native_cudnn, …); empty for torch's own choice.",
            extra={"env": ("EASEL_DIFFUSION_ATTENTION_BACKEND",)},
        ),
    ] = ""
    offload: Annotated[
        str,
        Meta(
            pattern="^(auto|none|model|group|sequential)$",
            description="What waits in main memory until torch's device needs it: nothing (none), parts of the "
            "pipeline (model), layers with the next one on its way (group), layers one by one (sequential). auto: as "
            "little as the free memory asks for.",
            extra={"env": ("EASEL_DIFFUSION_OFFLOAD",)},
        ),
    ] = "auto"
    vae_tiling: Annotated[
        str,
        Meta(
            pattern="^(auto|always|never)$",
            description="Decode pictures in tiles on torch, for less memory: those larger than the VAE was trained on "
            "(auto), than half of that (always), or never.",
            extra={"env": ("EASEL_DIFFUSION_VAE_TILING",)},
        ),
    ] = "auto"
    compile: Annotated[
        bool,
        Meta(
            description="Compile the denoiser's repeated blocks with torch, which takes a minute or more when a model "
            "is loaded and, on a CPU, a C++ compiler.",
            extra={"env": ("EASEL_DIFFUSION_COMPILE",)},
        ),
    ] = False
    loaded_models: Annotated[
        int,
        Meta(
            ge=1,
            description="Models to keep in memory; the one unused for longest goes first.",
            extra={"env": ("EASEL_DIFFUSION_LOADED_MODELS",)},
        ),
    ] = 1
    memory_gb: Annotated[
        float,
        Meta(
            ge=0,
            description="Memory for weights in 10^9 bytes: the model unused for longest makes room, a larger one is "
            "refused. 0: as many as fit.",
            extra={"env": ("EASEL_DIFFUSION_MEMORY_GB",)},
        ),
    ] = 0.0
    idle_unload_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Seconds without a picture after which models leave the memory; 0 for never.",
            extra={"env": ("EASEL_DIFFUSION_IDLE_UNLOAD_S",)},
        ),
    ] = 0.0
    max_batch: Annotated[
        str,
        Meta(
            pattern="^(auto|[1-9]|[1-5][0-9]|6[0-4])$",
            description="Pictures of the model's own size to draw at once, of all jobs together; larger ones count by "
            "their pixels. auto: as many as pay, which is tried out when a model is loaded; on most CPUs that is 1.",
            extra={"env": ("EASEL_DIFFUSION_MAX_BATCH",)},
        ),
    ] = "auto"
    prompt_cache_mb: Annotated[
        float,
        Meta(
            ge=0,
            description="Memory in 10^6 bytes for prompts already encoded, for each model; 0 for none.",
            extra={"env": ("EASEL_DIFFUSION_PROMPT_CACHE_MB",)},
        ),
    ] = 64.0
    lora_dir: Annotated[
        str,
        Meta(
            description="Folder of LoRA files (safetensors), subfolders included: a file's path without its suffix is "
            "its name. Empty: `$XDG_DATA_HOME/easel/loras` or `~/.local/share/easel/loras`.",
            extra={"env": ("EASEL_DIFFUSION_LORA_DIR",)},
        ),
    ] = ""
    loaded_loras: Annotated[
        int,
        Meta(
            ge=1,
            description="LoRAs to keep in memory with each model; the one unused for longest goes first.",
            extra={"env": ("EASEL_DIFFUSION_LOADED_LORAS",)},
        ),
    ] = 8
    preload: Annotated[
        tuple[str, ...],
        Meta(
            description="Models to load before taking jobs, rather than with their first job: names of those on offer, "
            "or true for the first, false for none.",
            extra={"env": ("EASEL_DIFFUSION_PRELOAD",)},
        ),
    ] = ("true",)
