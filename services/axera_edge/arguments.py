"""The command line of `pi_axera_sd_generator`: every setting is a flag too."""

from __future__ import annotations

import argparse
import types
from collections.abc import Sequence
from typing import Any, Union, get_args, get_origin

from runtime.process.settings import SettingField, fields
from services.axera_edge.settings import EdgeSettings


def parse_arguments(words: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    """What to do, `serve` or `doctor`, and the settings that were given."""
    parser = argparse.ArgumentParser(
        prog="pi_axera_sd_generator",
        description="Draws with SD 1.5 LCM on an Axera NPU: over HTTP, and as a worker on the bus.",
        epilog="Each flag is an environment variable too, which it overrides.",
    )
    parser.add_argument("verb", nargs="?", choices=("serve", "doctor"), default="serve", help="default: serve")
    for setting in fields(EdgeSettings):
        parser.add_argument(
            f"--{setting.name.replace('_', '-')}",
            metavar=setting.name.upper(),
            help=f"{setting.description} [{setting.env[0]}]".replace("%", "%%"),
            **_kind(setting),
        )
    given = vars(parser.parse_args(words))
    return given.pop("verb"), {name: value for name, value in given.items() if value is not None}


def _kind(setting: SettingField) -> dict[str, Any]:
    plain = get_args(setting.type)[0]
    if get_origin(plain) in (Union, types.UnionType):
        plain = get_args(plain)[0]
    if plain is bool:
        return {"choices": (True, False), "type": lambda word: {"true": True, "false": False}.get(word.lower(), word)}
    return {"type": plain}
