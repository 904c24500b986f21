"""What is in a folder of graphs: which files, and what they were trained for.

A folder says it in `edge.json`; without one it is taken for SD 1.5 LCM as Axera ships it (AXERA-TECH/lcm-lora-sdv1-5).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.images import ModelInfo

DESCRIPTION = "edge.json"
SUFFIXES = (".axmodel", ".onnx")
"""Of compiled graphs for the card, and of the same graphs for ONNX Runtime."""


class NoiseSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """How noise was added in training; names and defaults are Stable Diffusion's in diffusers."""

    beta_start: float = 0.00085
    beta_end: float = 0.012
    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    rescale_zero_snr: bool = False


class Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model. The defaults are SD 1.5 LCM."""

    id: str = "sd15-lcm"
    family: str = "latent-consistency"
    width: int = 512
    height: int = 512
    """Pixels: the graphs are compiled for one size."""
    scheduler: Literal["LCM", "DDIM"] = "LCM"
    schedule: NoiseSchedule = NoiseSchedule()
    timesteps: tuple[int, ...] = (999, 759, 499, 259)
    """The timestep of each row of the time table; empty when the row's number is the timestep."""
    allowed_steps: tuple[int, ...] = (1, 2, 4)
    """Numbers of steps whose timesteps are all in the table."""
    default_steps: int = 4
    default_guidance_scale: float = 1.0
    max_guidance_scale: float = 1.0
    """1 where the model was distilled to follow its prompt without guidance."""
    latent_channels: int = 4
    latent_scale: int = 8
    """Pixels of the picture for each of its latents, along a side."""
    scaling_factor: float = 0.18215
    tokens: int = 77
    """Length of a prompt."""
    licence: str = "CreativeML Open RAIL-M"
    source: str = "AXERA-TECH/lcm-lora-sdv1-5"

    @property
    def latents_shape(self) -> tuple[int, int, int, int]:
        """(1, channels, height, width) of the latents."""
        return 1, self.latent_channels, self.height // self.latent_scale, self.width // self.latent_scale

    def info(self, *, img2img: bool) -> ModelInfo:
        """As the worker announces it."""
        return ModelInfo(
            id=self.id,
            family=self.family,
            default_width=self.width,
            default_height=self.height,
            size_multiple=self.latent_scale,
            min_size=min(self.width, self.height),
            max_size=max(self.width, self.height),
            max_pixels=self.width * self.height,
            default_steps=self.default_steps,
            min_steps=min(self.allowed_steps),
            max_steps=max(self.allowed_steps),
            allowed_steps=self.allowed_steps,
            default_guidance_scale=self.default_guidance_scale,
            max_guidance_scale=self.max_guidance_scale,
            negative_prompt=self.max_guidance_scale > 1,
            licence=self.licence,
            source=self.source,
            img2img=img2img,
            fixed_size=True,
            schedulers=(self.scheduler,),
        )


class ModelFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of one model are."""

    description: Description
    text_encoder: Path
    unet: Path
    vae_decoder: Path
    vae_encoder: Path | None
    """None: the model takes no picture to start from."""
    time_table: Path
    tokenizer: Path
    """A `tokenizer.json`, or a folder with CLIP's `vocab.json` and `merges.txt`."""


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Files that an operator names one by one; empty: found in the folder."""

    text_encoder: str = ""
    unet: str = ""
    vae_decoder: str = ""
    vae_encoder: str = ""
    time_table: str = ""


def find_files(folder: Path, paths: Paths = Paths()) -> ModelFiles:  # noqa: B008  frozen
    """The model in `folder`.

    Raises:
        EaselError: ENGINE_FAILED, with every file that is missing; or a wrong `edge.json`.
    """
    missing: list[str] = []

    def named(path: str) -> Path:
        if not Path(path).is_file():
            missing.append(path)
        return Path(path)

    def graph(path: str, *stems: str) -> Path:
        found = next(
            (it for stem in stems for suffix in SUFFIXES if (it := folder / f"{stem}{suffix}").is_file()), None
        )
        if found is None and not path:
            missing.append(f"{folder / stems[0]}{SUFFIXES[0]} (or {SUFFIXES[1]})")
        return named(path) if path else found or folder / stems[0]

    encoder = paths.vae_encoder or next(
        (str(it) for suffix in SUFFIXES if (it := folder / f"vae_encoder{suffix}").is_file()), ""
    )
    files = ModelFiles(
        description=read_description(folder),
        text_encoder=graph(paths.text_encoder, "text_encoder/sd15_text_encoder_sim", "sd15_text_encoder_sim"),
        unet=graph(paths.unet, "unet"),
        vae_decoder=graph(paths.vae_decoder, "vae_decoder"),
        vae_encoder=named(encoder) if encoder else None,
        time_table=named(paths.time_table or str(folder / "time_input_txt2img.npy")),
        tokenizer=_tokenizer(folder / "tokenizer", missing),
    )
    if missing:
        message = f"the model in {folder} lacks {', '.join(missing)}; RASPBERRY_PI_SETUP.md says where to get it"
        raise EaselError(ErrorCode.ENGINE_FAILED, message)
    return files


def _tokenizer(folder: Path, missing: list[str]) -> Path:
    if (folder / "tokenizer.json").is_file():
        return folder / "tokenizer.json"
    missing += [str(folder / name) for name in ("vocab.json", "merges.txt") if not (folder / name).is_file()]
    return folder


def read_description(folder: Path) -> Description:
    """What `edge.json` says, or SD 1.5 LCM.

    Raises:
        EaselError: ENGINE_FAILED, the file is wrong.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        return Description()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Description)
    except (OSError, msgspec.MsgspecError) as fault:
        raise EaselError(ErrorCode.ENGINE_FAILED, f"{path} is wrong: {fault}") from fault
