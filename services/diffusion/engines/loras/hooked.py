"""LoRAs on torch modules: added to what a layer gives, so that the model's own weights stay as they are, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from services.diffusion.engines.loras.terms import NO_TERMS, Term, Terms


class Hooked:
    """Satisfies `services.diffusion.engines.loras.terms.Wearer`.

    Compiled modules pass over hooks that came later, so they are not compiled as long as they wear anything.
    """

    growth = 0

    def __init__(self, module: torch.nn.Module) -> None:
        self.layers = module
        self._worn: Terms = NO_TERMS
        self._handles: list[RemovableHandle] = []
        self._compiled: dict[Any, Any] = {}

    def wear(self, terms: Terms) -> None:
        if terms is self._worn:
            return
        for handle in self._handles:
            handle.remove()
        self._handles = [
            self.layers.get_submodule(path).register_forward_hook(_adding(some)) for path, some in terms.items()
        ]
        for part, call in self._compiled.items():
            part._compiled_call_impl = call  # noqa: SLF001  where torch itself keeps it
        self._compiled = _taken_off(self.layers) if terms else {}
        self._worn = terms


def _taken_off(layers: torch.nn.Module) -> dict[Any, Any]:
    """What is compiled, by its module, which computes without it from now on."""
    compiled: dict[Any, Any] = {}
    for part in layers.modules():
        if part._compiled_call_impl is not None:  # noqa: SLF001
            compiled[part], part._compiled_call_impl = part._compiled_call_impl, None  # noqa: SLF001
    return compiled


def _adding(terms: tuple[Term, ...]) -> Callable[[Any, tuple[Any, ...], Tensor], Tensor]:
    def hook(layer: Any, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        for term in terms:
            output = output + _product(layer, inputs[0].to(term.down.dtype), term).to(output.dtype)
        return output

    return hook


def _product(layer: Any, given: Tensor, term: Term) -> Tensor:
    if isinstance(layer, torch.nn.Conv2d):
        low = functional.conv2d(given, term.down, None, layer.stride, layer.padding, layer.dilation)
        return functional.conv2d(low, term.up) * term.scale
    return functional.linear(functional.linear(given, term.down), term.up) * term.scale
