"""A model in one file, as Stable Diffusion's publishers and trainers' tools write it: what it holds, without torch."""

from __future__ import annotations

import json
from pathlib import Path

from contracts.errors import EaselError, ErrorCode
from services.diffusion.model_folder import PICKLES, ModelFolder

CONFIGS = Path(__file__).with_name("single_file")
"""Folders in diffusers format, by family, without weights and tokenizers."""
UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT_ENCODERS = ("cond_stage_model.", "conditioner.embedders.")
TEXT_WIDTHS = {768: "stable-diffusion", 2048: "stable-diffusion-xl"}
"""Width of the text embeddings that a UNet looks at."""
ELSEWHERE = "name a folder in diffusers format with the same architecture with --config"


class Checkpoint:
    """One file.

    Raises:
        EaselError: UNSUPPORTED or ENGINE_FAILED: pickled, damaged, or no whole model of a known architecture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.suffix in PICKLES:
            message = (
                f"{path} is pickled: such weights can run code and are never loaded; most publishers offer the same "
                "model as .safetensors"
            )
            raise EaselError(ErrorCode.UNSUPPORTED, message)
        self._tensors = _header(path)
        self._refuse_parts()

    def _refuse_parts(self) -> None:
        if any("lora" in name.lower() for name in self._tensors):
            raise EaselError(ErrorCode.UNSUPPORTED, f"{self.path} is a LoRA, which changes a model and is none itself")
        wanted = {"a UNet": (UNET,), "a VAE": (VAE,), "a text encoder": TEXT_ENCODERS}
        missing = [what for what, begins in wanted.items() if not any(it.startswith(begins) for it in self._tensors)]
        if missing:
            message = (
                f"{self.path} is no whole Stable Diffusion model in one file: it lacks {', '.join(missing)} under the "
                "names of the original format"
            )
            raise EaselError(ErrorCode.UNSUPPORTED, message)

    def dtype(self) -> str:
        """What most of its numbers are: torch's name."""
        found = [str(tensor.get("dtype")) for name, tensor in self._tensors.items() if name.startswith(UNET)]
        most = max(set(found), key=found.count)
        return {"F16": "float16", "BF16": "bfloat16"}.get(most, "float32")

    def config(self, own: str = "") -> ModelFolder:
        """The folder that describes its architecture: `own`, or one of those that come along."""
        if own:
            return ModelFolder(Path(own).expanduser())
        shape = self._shape(f"{UNET}input_blocks.0.0.weight")
        width = next((self._shape(name)[-1] for name in self._tensors if name.endswith("attn2.to_k.weight")), 0)
        family = TEXT_WIDTHS.get(width, "")
        if shape[1:2] != [4] or not family or "v_pred" in self._tensors:
            message = (
                f"{self.path} is none of Stable Diffusion 1 and SDXL as they were published (a UNet of "
                f"{shape[1] if len(shape) > 1 else 0} channels over text of width {width}"
                f"{', predicting v' if 'v_pred' in self._tensors else ''}): {ELSEWHERE}"
            )
            raise EaselError(ErrorCode.UNSUPPORTED, message)
        return ModelFolder(CONFIGS / family)

    def _shape(self, name: str) -> list[int]:
        return list(self._tensors.get(name, {}).get("shape", []))


def _header(path: Path) -> dict[str, dict[str, list[int]]]:
    """Names, dtypes and shapes: eight bytes of length, then JSON (https://huggingface.co/docs/safetensors)."""
    try:
        with path.open("rb") as opened:
            header = json.loads(opened.read(min(int.from_bytes(opened.read(8), "little"), path.stat().st_size)))
        return {name: dict(tensor) for name, tensor in header.items() if name != "__metadata__"}
    except (OSError, ValueError, AttributeError, TypeError) as fault:
        raise EaselError(ErrorCode.UNSUPPORTED, f"{path} is not a .safetensors file, or damaged") from fault
