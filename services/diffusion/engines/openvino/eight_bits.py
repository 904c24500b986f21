"""Weights in 8 bits: half of a folder's size.

Plain rounding by channel; the compression library for more would bring scikit-learn and SciPy along.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

LEAST = 256
"""Numbers of a constant below which it is not worth it."""
_LEVELS = 255.0


def to_eight_bits(graph: ov.Model) -> None:
    """Replace the weights of every matrix product and convolution by bytes with a scale for each output channel.

    Other tables become float16, which saving would do if there were no bytes.
    """
    for node in graph.get_ordered_ops():
        if node.get_type_name() in ("MatMul", "Convolution") and _is_large(node.input_value(1).get_node()):
            source = node.input_value(1)
            channel = source.get_node().data.ndim - 1 if _is_untransposed(node) else 0
            source.replace(_rounded(source.get_node().data, channel).output(0))
    for node in graph.get_ordered_ops():
        if _is_large(node) and np.abs(node.data).max() < np.finfo(np.float16).max:
            node.output(0).replace(op.convert(op.constant(node.data.astype(np.float16)), "f32").output(0))


def _is_large(node: ov.Node) -> bool:
    """Whether it is a constant of floats, no vector, that is worth it."""
    if node.get_type_name() != "Constant" or node.get_element_type() != ov.Type.f32:
        return False
    return bool(node.data.size >= LEAST and node.data.ndim > 1)


def _is_untransposed(node: ov.Node) -> bool:
    return node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_b"]


def _rounded(values: np.ndarray[Any, Any], channel: int) -> ov.Node:
    """About `values`: (bytes - zero) * scale, `zero` and `scale` by channel."""
    others = tuple(axis for axis in range(values.ndim) if axis != channel)
    low = np.minimum(values.min(others, keepdims=True), 0)
    high = np.maximum(values.max(others, keepdims=True), 0)
    scale = np.maximum((high - low) / _LEVELS, np.finfo(np.float32).tiny)
    zero = np.round(-low / scale)
    coded = np.clip(np.round(values / scale) + zero, 0, _LEVELS).astype(np.uint8)
    centred = op.subtract(op.convert(op.constant(coded), "f32"), op.convert(op.constant(zero.astype(np.uint8)), "f32"))
    return op.multiply(centred, op.constant(scale.astype(np.float32)))
