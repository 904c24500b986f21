"""Graphs with the names, shapes and types of Axera's SD 1.5 LCM, a few kilobytes each, that draw coloured noise.

What they compute is arbitrary, but every output depends on every input, so that nothing can be left out unnoticed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, np.dtype[Any]]

TOKENS, WIDTH, TIME = 77, 768, 1280
LATENTS, SAMPLED, PICTURE = [1, 4, 64, 64], [1, 8, 64, 64], [1, 3, 512, 512]
TIMESTEPS = (999, 759, 499, 259)
_OPSET, _IR = 17, 8
_FLOAT = TensorProto.FLOAT


def write_small_model(folder: Path, *, suffix: str = ".onnx") -> None:
    """A folder as `services.axera_edge` reads it. ONNX takes token ids of 64 bits, compiled graphs of 32."""
    ids = TensorProto.INT64 if suffix == ".onnx" else TensorProto.INT32
    random = np.random.default_rng(15)
    graphs = {
        "text_encoder/sd15_text_encoder_sim": _text_encoder(random, ids),
        "unet": _unet(random),
        "vae_decoder": _vae_decoder(random),
        "vae_encoder": _vae_encoder(random),
    }
    for name, graph in graphs.items():
        path = folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(graph.SerializeToString())
    time = random.normal(size=(len(TIMESTEPS), TIME)).astype(np.float32)
    np.save(folder / "time_input_txt2img.npy", time)
    np.save(folder / "time_input_img2img.npy", np.concatenate([time[2:], np.zeros_like(time[:2])]))
    write_letters(folder / "tokenizer")


def write_letters(folder: Path) -> None:
    """A vocabulary of CLIP's form with single letters for words."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    letters = [chr(byte) for byte in plain] + [chr(256 + index) for index in range(len(rest))]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def _text_encoder(random: np.random.Generator, ids: int) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["numbers"], to=_FLOAT),
        helper.make_node("Unsqueeze", ["numbers", "last"], ["column"]),
        helper.make_node("MatMul", ["column", "row"], ["product"]),
        helper.make_node("Sin", ["product"], ["last_hidden_state"]),
    ]
    weights = {"row": random.normal(size=(1, WIDTH)), "last": np.array([2])}
    return _model(
        nodes,
        [helper.make_tensor_value_info("input_ids", ids, [1, TOKENS])],
        ("last_hidden_state", [1, TOKENS, WIDTH]),
        weights,
    )


def _unet(random: np.random.Generator) -> onnx.ModelProto:
    """Noise is taken to be the sample's own, bent towards a colour that prompt and time choose."""
    time = "/down_blocks.0/resnets.0/act_1/Mul_output_0"
    nodes = [
        helper.make_node("ReduceMean", ["encoder_hidden_states"], ["words"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["words", "of_words"], ["from_words"]),
        helper.make_node("MatMul", [time, "of_time"], ["from_time"]),
        helper.make_node("Add", ["from_words", "from_time"], ["colour"]),
        helper.make_node("Tanh", ["colour"], ["bounded"]),
        helper.make_node("Reshape", ["bounded", "spread"], ["flat"]),
        helper.make_node("Conv", ["sample", "mix"], ["mixed"], kernel_shape=[1, 1]),
        helper.make_node("Sub", ["mixed", "flat"], ["5771"]),
    ]
    weights = {
        "of_words": random.normal(size=(WIDTH, 4)),
        "of_time": random.normal(size=(TIME, 4)) / 100,
        "spread": np.array([1, 4, 1, 1]),
        "mix": (np.eye(4) * 0.7).reshape(4, 4, 1, 1),
    }
    inputs = [
        _tensor("sample", LATENTS),
        _tensor("encoder_hidden_states", [1, TOKENS, WIDTH]),
        _tensor(time, [1, TIME]),
    ]
    return _model(nodes, inputs, ("5771", LATENTS), weights)


def _vae_decoder(random: np.random.Generator) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "mix"], ["small"], kernel_shape=[1, 1]),
        helper.make_node("Tanh", ["small"], ["bounded"]),
        helper.make_node("Resize", ["bounded", "", "scales"], ["784"], mode="nearest"),
    ]
    weights = {"mix": random.normal(size=(3, 4, 1, 1)) / 10, "scales": np.array([1, 1, 8, 8], np.float32)}
    return _model(nodes, [_tensor("x", LATENTS)], ("784", PICTURE), weights)


def _vae_encoder(random: np.random.Generator) -> onnx.ModelProto:
    nodes = [
        helper.make_node("AveragePool", ["image_sample"], ["small"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["small", "mix"], ["latent_sample"], kernel_shape=[1, 1]),
    ]
    return _model(
        nodes,
        [_tensor("image_sample", PICTURE)],
        ("latent_sample", SAMPLED),
        {"mix": random.normal(size=(8, 3, 1, 1))},
    )


def _tensor(name: str, shape: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _FLOAT, shape)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    output: tuple[str, list[int]],
    weights: dict[str, Array],
) -> onnx.ModelProto:
    kept = [
        numpy_helper.from_array(it.astype(np.int64 if it.dtype.kind == "i" else np.float32), name)
        for name, it in weights.items()
    ]
    graph = helper.make_graph(nodes, "small", inputs, [_tensor(*output)], initializer=kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return model
