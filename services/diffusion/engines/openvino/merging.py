"""LoRAs merged into a graph's weights: nothing is added to what is computed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from services.diffusion.engines.loras.terms import Terms

Array = np.ndarray[Any, Any]
_LAYER = re.compile(r"__module\.(?:model\.)?(?:unet|transformer|net)\.(.+?)/aten::")
"""How conversion names what a layer computes: by its path in the modules of `conversion`, some wrapped once more."""


def merge(graph: ov.Model, terms: Terms) -> None:
    """Add to the weights of `graph`, by the layers' paths.

    Raises:
        ValueError: a layer is not in it.
    """
    layers: dict[str, list[ov.Node]] = {}
    for node in graph.get_ordered_ops():
        match = _LAYER.match(node.get_friendly_name())
        if match and node.get_type_name() in ("MatMul", "Convolution"):
            layers.setdefault(match[1], []).append(node)
    absent = sorted(set(terms) - set(layers))
    if absent:
        raise ValueError(f"the converted model has no layer {absent[0]}")
    for path, some in terms.items():
        delta = sum(term.delta().numpy() for term in some)
        for node in layers[path]:
            _add(node, delta)


def _add(node: ov.Node, delta: Any) -> None:
    source = node.input_value(1)
    transposed = node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_b"]
    weight = _value(source) + (delta.T if transposed else delta)
    merged = op.convert(op.constant(weight.astype(np.float16)), "f32")
    node.input(1).replace_source_output(merged.output(0))


def _value(output: Any) -> Array:
    """What a weight is, however it is written: 16 bits, or 8 with a zero and a scale."""
    node = output.get_node()
    inputs: list[Array] = [_value(it) for it in node.input_values()]
    match node.get_type_name():
        case "Constant":
            return np.asarray(node.data)
        case "Convert":
            return inputs[0].astype(np.float32)
        case "Subtract":
            return np.subtract(*inputs)
        case "Multiply":
            return np.multiply(*inputs)
        case other:
            raise ValueError(f"the weights of {node.get_friendly_name()} come from a {other}")
