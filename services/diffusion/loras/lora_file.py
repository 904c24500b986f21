"""One LoRA file: what its header says of the models that it fits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Model

LONGEST_HEADER = 100_000_000
"""Bytes, as in safetensors itself."""
_DOWN = re.compile(r"[._](lora_down|lora_A|lora_A\.default|lora\.down|lora_linear_layer\.down)\.weight$")
"""The matrix that a layer's input meets, in the words of kohya, PEFT and diffusers."""
_OTHERS = {"dora_scale": "DoRA", "lora_magnitude_vector": "DoRA", "hada_w1": "LoHa", "lokr_w1": "LoKr"}
"""Relatives that need other arithmetic, by a word in their keys."""
_LAYOUTS = (
    (("down_blocks", "up_blocks", "mid_block", "input_blocks", "output_blocks", "middle_block"), ("unet",)),
    (("single_transformer_blocks", "single_blocks", "double_blocks"), ("flux",)),
    (("joint_blocks",), ("stable-diffusion-3",)),
    (("transformer_blocks",), ("stable-diffusion-3", "flux")),
    (("noise_refiner", "context_refiner", "layers_attention"), ("z-image",)),
    (("lora_te", "text_encoder", "text_model"), ("unet", "stable-diffusion-3", "flux")),
)
"""Architectures by the words of their blocks; the first that is found counts."""
_WIDE = re.compile(r"attn2_to_[kv]|attn_(to_[qkv]|qkv)|attention_(to_[qkv]|qkv)|linear1")
"""Layers whose input is as wide as the text (in UNets) or as the tokens (in transformers)."""


class LoraFile(msgspec.Struct, frozen=True):
    """A file that may be added to some models; equal as long as nobody changed it."""

    name: str
    """Its path in the folder, without the suffix."""
    path: Path
    size: int
    """Bytes."""
    changed_ns: int
    layouts: tuple[str, ...]
    """`Family.lora_layout` of the models that it may fit."""
    width: int | None
    """Of the layers by which models of one layout differ; None where it has none of those."""

    def fits(self, model: Model) -> bool:
        """As far as the header tells; every matrix is compared when it is loaded."""
        if model.family.lora_layout not in self.layouts:
            return False
        return self.width is None or not model.lora_widths or self.width in model.lora_widths


def read_lora(name: str, path: Path) -> LoraFile:
    """What the header of a safetensors file says.

    Raises:
        EaselError: UNSUPPORTED, it is no LoRA, or one of a kind that is not known here.
        OSError: it cannot be read.
    """
    state = path.stat()
    shapes = _shapes(name, path)
    other = next((kind for word, kind in _OTHERS.items() if any(word in key for key in shapes)), None)
    if other is not None:
        raise _refusal(f"{name} is a {other}, which Easel does not draw with: it takes plain LoRAs")
    downs = {_plain(key): shape for key, shape in shapes.items() if _DOWN.search(key)}
    layouts = next((found for words, found in _LAYOUTS if any(it in key for key in downs for it in words)), None)
    if layouts is None:
        raise _refusal(f"{name} has no LoRA weights that Easel knows: {_some(shapes)}")
    widths = {shape[1] for key, shape in downs.items() if len(shape) > 1 and _WIDE.search(key)}
    return LoraFile(name, path, state.st_size, state.st_mtime_ns, layouts, widths.pop() if len(widths) == 1 else None)


def _plain(key: str) -> str:
    """All spellings alike, and without numbers: `attn2.processor.to_k_lora` is `attn2_to_k_lora`."""
    return re.sub(r"_\d+(?=_)", "", key.replace(".", "_")).replace("processor_", "")


def _shapes(name: str, path: Path) -> dict[str, list[int]]:
    """The shape of every tensor: eight bytes of length, then JSON (https://huggingface.co/docs/safetensors)."""
    try:
        with path.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header: dict[str, Any] = json.loads(opened.read(min(length, LONGEST_HEADER)))
        return {key: [int(side) for side in told["shape"]] for key, told in header.items() if key != "__metadata__"}
    except (ValueError, LookupError, TypeError, AttributeError) as fault:
        raise _refusal(f"{name} is no safetensors file: {fault}") from fault


def _some(shapes: dict[str, list[int]]) -> str:
    keys = sorted(shapes)
    return f"it holds {', '.join(keys[:3])}{', …' if len(keys) > 3 else ''}" if keys else "it is empty"  # noqa: PLR2004


def _refusal(message: str) -> EaselError:
    return EaselError(ErrorCode.UNSUPPORTED, message, param="loras")
