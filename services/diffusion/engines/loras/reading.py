"""A LoRA file to terms for the layers of one model, in every spelling of keys that diffusers knows."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.utils import state_dict_utils
from torch import Tensor

from contracts.errors import EaselError, ErrorCode
from services.diffusion.engines.loras.terms import Term, Terms, Wearer
from services.diffusion.engines.weights import LOAD_FAULTS
from services.diffusion.loras.lora_file import LoraFile

_CONVERT: Any = state_dict_utils  # untyped
_MATRIX = re.compile(r"(.+)\.lora_(A|B)(?:\.default)?\.weight")


def read_terms(file: LoraFile, model: str, pipe: Any, wearers: Mapping[str, Wearer]) -> dict[str, Terms]:
    """By the parts of the pipeline, each with its layers' terms.

    Raises:
        EaselError: UNSUPPORTED, the file does not fit `model` or is of a kind that is not known here.
    """
    try:
        return _fitted(_converted(file, pipe), wearers)
    except (*LOAD_FAULTS, _Misfit) as fault:
        said = next(iter(str(fault).strip().splitlines()), type(fault).__name__)[:200]
        message = f"the LoRA {file.name!r} does not fit {model}: {said}"
        raise EaselError(ErrorCode.UNSUPPORTED, message, param="loras") from fault


class _Misfit(Exception):  # noqa: N818  told to people as it is
    pass


@dataclass(frozen=True)
class _Content:
    """Of a file, or of what it has for one part of a pipeline."""

    matrices: Mapping[str, Tensor]
    """By diffusers' keys: `unet.…`, within a part without that."""
    alphas: Mapping[str, float]
    """kohya's, by keys that are as long as it takes to know the layer."""
    config: Mapping[str, Any]
    """PEFT's; empty where nothing is said."""


def _converted(file: LoraFile, pipe: Any) -> _Content:
    convert = type(pipe).lora_state_dict
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, "return_lora_metadata": True}
    if "return_alphas" in inspect.signature(convert).parameters:
        options["return_alphas"] = True
    if "unet" in pipe.components:
        options["unet_config"] = pipe.unet.config
    weights, *alphas, config = convert(str(file.path), **options)
    return _Content(weights, {key: float(it) for some in alphas for key, it in (some or {}).items()}, config or {})


def _fitted(content: _Content, wearers: Mapping[str, Wearer]) -> dict[str, Terms]:
    foreign = sorted({key.split(".")[0] for key in content.matrices} - set(wearers))
    if foreign:
        raise _Misfit(f"it changes {', '.join(foreign)}, which the model has not")
    named = {key.split(".")[0] for key in content.matrices}
    return {name: _part(name, content, wearer.layers) for name, wearer in wearers.items() if name in named}


def _part(name: str, content: _Content, layers: Any) -> Terms:
    own = _of_part(name, content, layers)
    pairs: dict[str, dict[str, Tensor]] = {}
    for key, matrix in own.matrices.items():
        match = _MATRIX.fullmatch(key)
        if match is None:
            raise _Misfit(f"its {name}.{key} is nothing that Easel knows how to add")
        pairs.setdefault(match[1], {})[match[2]] = matrix
    terms: dict[str, tuple[Term, ...]] = {}
    for path, pair in pairs.items():
        down, up = _shaped(f"{name}.{path}", pair, _layer(layers, name, path))
        terms[path] = (Term(down, up, _scale(path, len(down), own)),)
    return terms


def _of_part(name: str, content: _Content, layers: Any) -> _Content:
    def own(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key.removeprefix(f"{name}."): it for key, it in values.items() if key.startswith(f"{name}.")}

    alphas = {key.removesuffix(".alpha"): it for key, it in own(content.alphas).items()}
    by_layer = {key.split(".lora_")[0]: it for key, it in _spelt(alphas, name, layers).items()}
    return _Content(_spelt(own(content.matrices), name, layers), by_layer, own(content.config))


def _spelt(weights: dict[str, Any], name: str, layers: Any) -> dict[str, Any]:
    """With PEFT's `lora_A` and `lora_B`, and the layers' paths as this version of transformers has them."""
    if not name.startswith("text_encoder"):
        return dict(_CONVERT.convert_unet_state_dict_to_peft(weights))
    if any(".lora_A." not in key and ".lora_B." not in key for key in weights):
        weights = _CONVERT.convert_state_dict_to_peft(_CONVERT.convert_state_dict_to_diffusers(weights))
    return weights if hasattr(layers, "text_model") else {k.removeprefix("text_model."): v for k, v in weights.items()}


def _layer(root: Any, name: str, path: str) -> Any:
    try:
        layer = root.get_submodule(path)
    except AttributeError:
        raise _Misfit(f"it changes {name}.{path}, which the model has not") from None
    if not isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
        raise _Misfit(f"it changes {name}.{path}, which is neither a linear layer nor a convolution")
    return layer


def _shaped(called: str, pair: Mapping[str, Tensor], layer: Any) -> tuple[Tensor, Tensor]:
    """Both matrices in the layer's own form."""
    if set(pair) != {"A", "B"}:
        raise _Misfit(f"its {called} is only half there")
    kernel = tuple(layer.weight.shape[2:])
    down, up = _as_kernel(pair["A"], kernel), _as_kernel(pair["B"], (1,) * len(kernel))
    has, wants = (len(up), *down.shape[1:]), tuple(layer.weight.shape)
    if has != wants or up.shape[1] != len(down):
        raise _Misfit(f"its {called} is {'x'.join(map(str, has))}, the model's {'x'.join(map(str, wants))}")
    return down, up


def _as_kernel(matrix: Tensor, kernel: tuple[int, ...]) -> Tensor:
    """A matrix for a convolution of one pixel, and the other way round."""
    if kernel == (1,) * len(kernel) and matrix[0, 0].numel() == 1:
        return matrix.reshape(*matrix.shape[:2], *kernel)
    return matrix


def _scale(path: str, rank: int, own: _Content) -> float:
    """Alpha by rank, or by its root; 1 where nobody states one."""
    config = own.config
    if not config:
        return own.alphas.get(path, rank) / rank
    if config.get("use_dora"):
        raise _Misfit("it is a DoRA, which Easel does not draw with: it takes plain LoRAs")
    patterns: Mapping[str, float] = config.get("alpha_pattern") or {}
    named = next((value for pattern, value in patterns.items() if re.fullmatch(rf"(.*\.)?({pattern})", path)), None)
    alpha = config.get("lora_alpha", rank) if named is None else named
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)
