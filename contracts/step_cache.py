"""Step caches: denoising steps that reuse what an earlier one computed. Written `name:setting`."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import EaselError, ErrorCode

NONE = "none"
"""What turns a model's own off."""
SETTINGS = {"deepcache": (2.0, 10.0), "first_block_cache": (0.001, 1.0)}
"""Least and most. `deepcache`: the whole network runs every so many steps (https://arxiv.org/abs/2312.00858).
`first_block_cache`: the relative change of the first block's output below which the others are skipped, diffusers'
`FirstBlockCacheConfig.threshold`."""
WHOLE = ("deepcache",)
"""Whose setting is a whole number."""


def parse(text: str) -> tuple[str, float]:
    """Name and setting of `name:setting`.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    name, _, setting = text.partition(":")
    low, high = SETTINGS.get(name, (1.0, 0.0))
    try:
        value = float(setting)
    except ValueError:
        value = float("nan")
    if not low <= value <= high or (name in WHOLE and value % 1):
        known = ", ".join(f"{it}:N with N from {least:g} to {most:g}" for it, (least, most) in SETTINGS.items())
        raise EaselError(
            ErrorCode.INVALID_REQUEST, f"no step cache is called {text[:50]!r}; there are: {known}", param="cache"
        )
    return name, value


def chosen(asked: str, offered: Sequence[str]) -> str:
    """`asked` with its setting, where it has none that of the model's offer; empty for none.

    Raises:
        EaselError: INVALID_REQUEST; UNSUPPORTED, the model has no cache of that name.
    """
    if not asked or asked == NONE:
        return ""
    own = {it.partition(":")[0]: it for it in offered}
    name = asked.partition(":")[0]
    if name in SETTINGS and name not in own:
        have = ", ".join(offered) or "none"
        raise EaselError(
            ErrorCode.UNSUPPORTED, f"the model has no step cache {name!r}; there are: {have}", param="cache"
        )
    name, setting = parse(own.get(asked, asked))
    return f"{name}:{setting:g}"
