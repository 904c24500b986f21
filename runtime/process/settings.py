"""Environment to a frozen, typed struct, once, in `__main__`: all faults at once, near names suggested.

A settings struct annotates each field with what the operator reads and the variables that set it:

    port: Annotated[int, msgspec.Meta(description="Port to listen on.", extra={"env": ("EASEL_GATEWAY_PORT",)})] = 8000

The first name is canonical, the others are aliases that older set-ups use; the canonical one wins.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, get_type_hints

import msgspec

S = TypeVar("S", bound=msgspec.Struct)

PREFIX = "EASEL_"


class SettingsError(Exception):
    """Some settings are wrong. `faults` has one sentence for each."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


class SettingField(msgspec.Struct, frozen=True):
    """One setting as the documentation shows it."""

    name: str
    env: tuple[str, ...]
    description: str
    type: Any
    default: Any


def fields(kind: type[msgspec.Struct]) -> list[SettingField]:
    """Every setting of `kind`, in the order of the struct."""
    found = []
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        metas = [m for m in getattr(hints[field.name], "__metadata__", ()) if isinstance(m, msgspec.Meta)]
        env = next(((m.extra or {})["env"] for m in metas if "env" in (m.extra or {})), ())
        description = next((m.description for m in metas if m.description), "")
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        found.append(SettingField(field.name, tuple(env), description, hints[field.name], default))
    return found


def known_names(*kinds: type[msgspec.Struct]) -> set[str]:
    """Every environment variable that one of `kinds` reads."""
    return {name for kind in kinds for field in fields(kind) for name in field.env}


def unknown_names(environ: Mapping[str, str], known: set[str], prefix: str = PREFIX) -> list[str]:
    """A sentence for each variable that begins with `prefix` and that nobody reads."""
    faults = []
    for name in sorted(set(environ) - known):
        if name.startswith(prefix):
            near = difflib.get_close_matches(name, known, n=1)
            faults.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))
    return faults


def load(kind: type[S], environ: Mapping[str, str] = os.environ, **overrides: Any) -> S:
    """Read `kind` from the environment; `overrides` (by field name) win, None counts as not given.

    An empty variable counts as not set. Booleans take true/false, 1/0, yes/no, on/off; lists are comma-separated.

    Raises:
        SettingsError: with every fault there is.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    own = [f for f in fields(kind) if f.env]
    for field in own:
        if overrides.get(field.name) is not None:
            continue
        name = next((n for n in field.env if environ.get(n)), None)
        if name is not None:
            try:
                values[field.name] = msgspec.convert(_typed(environ[name], field.type), field.type, strict=False)
            except (msgspec.ValidationError, ValueError) as fault:
                faults.append(f"{name}={environ[name]!r} is wrong: {fault}")
    faults += unknown_names(environ, {n for f in own for n in f.env}, _own_prefix(own))
    values |= {name: value for name, value in overrides.items() if value is not None}
    if faults:
        raise SettingsError(faults)
    try:
        return msgspec.convert(values, kind)
    except (msgspec.ValidationError, ValueError) as fault:
        raise SettingsError([str(fault)]) from fault


def _own_prefix(own: list[SettingField]) -> str:
    """`EASEL_GATEWAY_` for a struct whose names all begin so: only there can an unknown name be told."""
    prefixes = {"_".join(field.env[0].split("_")[:2]) + "_" for field in own}
    return prefixes.pop() if len(prefixes) == 1 else "\0"


_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _typed(text: str, kind: Any) -> Any:
    plain = getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind
    if plain is bool:
        if text.lower() not in _BOOLEANS:
            raise ValueError("expected true or false")
        return _BOOLEANS[text.lower()]
    if getattr(plain, "__origin__", None) in (tuple, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
