"""What a client of the device asked for, in whichever of its two dialects, made into a request to the engine."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import NoReturn

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.images import MAX_PROMPT_CHARACTERS, MAX_SEED, GenerateImage, InputImage, ModelInfo
from contracts.sent_pictures import read_header
from runtime.worker.images.engine import NO_INPUTS, Inputs
from services.axera_edge.web.resize_modes import RESIZE_MODES, start_picture

MAX_PICTURES = 4
"""In one request: about 12 s at the card, below every client's patience."""
MAX_STEPS = 150
_SCHEDULES = re.compile(
    r"(?i)( (karras|exponential|automatic|uniform|sgm uniform|polyexponential|simple|normal|beta))$"
)
_KNOWN_SAMPLERS = re.compile(
    r"(?i)euler( a)?|lms|heun|dpm2( a)?|dpm\+\+ (2s a|2m|sde|2m sde|2m sde heun|3m sde)|dpm (fast|adaptive)|restart|"
    r"ddim( cfg\+\+)?|plms|unipc|lcm"
)
"""Names that clients send as their own defaults: taken for a wish, not a condition, since the model has one sampler."""


class Asked(msgspec.Struct, kw_only=True):
    """Both dialects' fields, by the web UI's names; those that neither knows are passed over. None: left to us."""

    prompt: str | None = None
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    seed: int | None = None
    sampler_name: str | None = None
    cfg_scale: float | None = None
    n_iter: int | None = None
    batch_size: int | None = None
    denoising_strength: float | None = None
    resize_mode: int | None = None

    def request(self, model: ModelInfo, picture: bytes | None) -> GenerateImage:
        """Resolved in full for `model`, starting from `picture` if there is one.

        Steps become the nearest number that the model takes; guidance is bounded, for distilled models to none.

        Raises:
            EaselError: INVALID_REQUEST or UNSUPPORTED, `param` being the field.
        """
        prompt = self.prompt or ""
        if not prompt.strip():
            _refuse("prompt", "the prompt is missing; say what to draw")
        if max(len(prompt), len(self.negative_prompt or "")) > MAX_PROMPT_CHARACTERS:
            _refuse("prompt", f"prompts may have {MAX_PROMPT_CHARACTERS} characters at most")
        width, height = self._size(model)
        return GenerateImage(
            model=model.id,
            prompt=prompt,
            negative_prompt=self.negative_prompt or "" if model.negative_prompt else "",
            width=width,
            height=height,
            num_inference_steps=self._steps(model),
            guidance_scale=self._guidance(model),
            seed=self._seed(),
            num_images=self._count(),
            scheduler=self._scheduler(model),
            init_image=InputImage(key="", size=0) if picture else None,
            strength=self._strength(),
        )

    def inputs(self, picture: bytes | None, request: GenerateImage) -> Inputs:
        """`picture` in the request's size: stretched (resize_mode 0), cropped (1) or with black borders (2).

        Raises:
            EaselError: as `decode_image`.
        """
        if picture is None:
            return NO_INPUTS
        mode = self.resize_mode or 0
        if mode not in range(len(RESIZE_MODES)):
            _refuse("resize_mode", f"resize_mode {mode}: there are 0 (stretch), 1 (crop) and 2 (borders)")
        return Inputs(start_picture(picture, request, mode))

    def _size(self, model: ModelInfo) -> tuple[int, int]:
        size = self.width or model.default_width, self.height or model.default_height
        if size != (model.default_width, model.default_height):
            only = f"{model.default_width}x{model.default_height}"
            raise EaselError(
                ErrorCode.UNSUPPORTED, f"{size[0]}x{size[1]}: this device draws {only} only", param="width"
            )
        return size

    def _steps(self, model: ModelInfo) -> int:
        steps = model.default_steps if self.steps is None else _within("steps", self.steps, 1, MAX_STEPS)
        return min(model.allowed_steps, key=lambda allowed: (abs(allowed - steps), -allowed))

    def _guidance(self, model: ModelInfo) -> float:
        if self.cfg_scale is None:
            return model.default_guidance_scale
        return max(0.0, min(model.max_guidance_scale, self.cfg_scale))

    def _seed(self) -> int:
        if self.seed is None or self.seed == -1:
            return secrets.randbelow(MAX_SEED + 1)
        return _within("seed", self.seed, 0, MAX_SEED)

    def _count(self) -> int:
        return _within("batch_size", (self.n_iter or 1) * (self.batch_size or 1), 1, MAX_PICTURES)

    def _strength(self) -> float:
        strength = 0.5 if self.denoising_strength is None else self.denoising_strength
        if not 0 <= strength <= 1:
            _refuse("denoising_strength", f"denoising_strength must be 0 … 1, not {strength:g}")
        return strength

    def _scheduler(self, model: ModelInfo) -> str:
        own = model.schedulers[0]
        name = _SCHEDULES.sub("", (self.sampler_name or own).strip())
        if _KNOWN_SAMPLERS.fullmatch(name) or name in model.schedulers:
            return name if name in model.schedulers else own
        have = ", ".join(model.schedulers)
        raise EaselError(
            ErrorCode.UNSUPPORTED, f"no sampler {self.sampler_name!r}; this device has {have}", param="sampler_name"
        )


def read_picture(text: str) -> bytes:
    """The bytes of a picture in base64, with or without a `data:` prefix.

    Raises:
        EaselError: INVALID_REQUEST, `param` being `init_image`.
    """
    if text.startswith(("http://", "https://")):
        _refuse("init_image", "init_image must hold the picture itself in base64; addresses are not fetched")
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as fault:
        _refuse("init_image", f"init_image is not base64: {fault}", fault)
    read_header(data, "init_image")
    return data


def _within(param: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        _refuse(param, f"{param} must be {low} … {high}, not {value}")
    return value


def _refuse(param: str, message: str, cause: Exception | None = None) -> NoReturn:
    raise EaselError(ErrorCode.INVALID_REQUEST, message, param=param) from cause
