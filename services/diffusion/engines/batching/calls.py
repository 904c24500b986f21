"""Calls of a denoiser: which may be merged into one, how, and each caller's part of the result."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TIMESTEPS = ("timestep", "t")
"""One number for all rows or one for each; in a merged call always the latter."""
POSITIONS = ("img_ids", "txt_ids")
"""FLUX's, without rows: the same for all pictures of one size."""


@dataclass(frozen=True)
class Call:
    """One call by one request; `rows` are its pictures, twice as many with guidance."""

    arguments: dict[str, Any]
    rows: int
    kind: Hashable
    """Calls of one kind can be merged."""


def call_of(signature: inspect.Signature, args: Sequence[Any], options: Mapping[str, Any], size: Hashable) -> Call:
    """A call of a denoiser's `forward` as its pipeline makes it.

    `size` is the picture's: what has no rows depends on nothing else. The first argument has the rows: a tensor, or
    with Z-Image a list.
    """
    bound = signature.bind(*args, **options).arguments
    arguments: dict[str, Any] = {}
    for name, value in bound.items():
        extra = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        arguments |= value if extra else {name: value}
    rows = len(next(iter(arguments.values())))
    return Call(arguments, rows, (size, _kind(arguments)))


def _kind(arguments: Mapping[str, Any]) -> Hashable:
    return tuple((name, _kind_of(name, value)) for name, value in sorted(arguments.items()))


def _kind_of(name: str, value: Any) -> Hashable:
    if name in TIMESTEPS or isinstance(value, list):
        return None
    if isinstance(value, Tensor):
        return (value.shape if name in POSITIONS else value.shape[1:], value.dtype)
    return _kind(value) if isinstance(value, Mapping) else repr(value)


def merged(calls: Sequence[Call]) -> dict[str, Any]:
    """Arguments of one call that does the work of all; a single one stays as it is, to the last bit."""
    if len(calls) == 1:
        return calls[0].arguments
    return _joined([call.arguments for call in calls], [call.rows for call in calls])


def _joined(all_arguments: Sequence[Mapping[str, Any]], rows: Sequence[int]) -> dict[str, Any]:
    return {name: _joined_one(name, [it[name] for it in all_arguments], rows) for name in all_arguments[0]}


def _joined_one(name: str, values: Sequence[Any], rows: Sequence[int]) -> Any:
    first = values[0]
    if name in TIMESTEPS:
        each = [_timesteps(value, count) for value, count in zip(values, rows, strict=True)]
        return torch.cat([it.to(each[0]) for it in each])
    if isinstance(first, list):
        return [one for value in values for one in value]
    if isinstance(first, Mapping):
        return _joined(values, rows)
    if not isinstance(first, Tensor) or name in POSITIONS:
        return first
    return torch.cat([_spread(value, count) for value, count in zip(values, rows, strict=True)])


def _timesteps(value: Any, rows: int) -> Tensor:
    """Whole numbers become fractions, which some schedulers have: a batch may hold both."""
    flat = torch.as_tensor(value).reshape(-1)
    return _spread(flat if flat.is_floating_point() else flat.float(), rows)


def _spread(value: Tensor, rows: int) -> Tensor:
    return value if len(value) == rows else value.expand(rows, *value.shape[1:])


def parted(result: Any, calls: Sequence[Call]) -> list[Any]:
    """Each call's part of the merged call's first output: a tensor with rows, or a list of them."""
    rows = [call.rows for call in calls]
    if isinstance(result, Tensor):
        return list(torch.split(result, rows))
    ends = [sum(rows[: index + 1]) for index in range(len(rows))]
    return [result[end - count : end] for end, count in zip(ends, rows, strict=True)]
