"""`easel settings`: every variable that a process reads, with its type, default and meaning."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import typer

from cli.launcher.services import SERVICES
from cli.launcher.settings import LauncherSettings
from cli.options import AsJson
from cli.output import result, result_json, result_table
from runtime.process.settings import SettingField, fields
from services.axera_edge.settings import EdgeSettings

_TYPES = {bool: "true or false", int: "integer", float: "number", str: "text", tuple: "comma-separated list"}
HEAD = """# Settings

Every setting is an environment variable. They are read once, at start, and all faults are told at once; a name that
nobody reads is refused with the nearest one that somebody does. The other names are those of earlier services; the
first one wins. This page is what `easel settings --markdown` prints.
"""


def settings(
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the documentation.")] = False,
    env: Annotated[bool, typer.Option("--env", help="Print a file of variables with their defaults.")] = False,
) -> None:
    """List every setting: the environment variables of all processes."""
    groups = {title: fields(kind) for title, kind in _structs()}
    if as_json:
        result_json([_facts(title, setting) for title, group in groups.items() for setting in group])
    elif markdown:
        result(_page(groups))
    elif env:
        result(_variables(groups))
    else:
        rows = [[setting.env[0], _default(setting), setting.description] for g in groups.values() for setting in g]
        result_table(["variable", "default", "meaning"], rows)


def _structs() -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Each settings struct once, with the words that name it to an operator."""
    yield "easel up", LauncherSettings
    seen = set()
    for service in SERVICES:
        for kind in service.settings():
            if kind not in seen:
                seen.add(kind)
                yield kind.__name__.removesuffix("Settings").lower(), kind
    yield "edge", EdgeSettings


def _page(groups: dict[str, list[SettingField]]) -> str:
    lines = [HEAD]
    for title, group in groups.items():
        lines += [f"## {title}", "", "| variable | type | default | meaning |", "|---|---|---|---|"]
        for setting in group:
            names = f"`{setting.env[0]}`" + "".join(f"<br>or `{name}`" for name in setting.env[1:])
            default = f"`{_default(setting)}`" if _default(setting) else ""
            lines.append(f"| {names} | {_type(setting.type)} | {default} | {setting.description} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def _variables(groups: dict[str, list[SettingField]]) -> str:
    """All of them out of effect, so that the file changes nothing until somebody takes a `#` away."""
    lines = ["# Every setting with its default, as `easel settings --env` prints them."]
    for title, group in groups.items():
        lines += ["", f"# --- {title}"]
        for setting in group:
            lines += ["", f"# {setting.description} ({_type(setting.type)})", f"#{setting.env[0]}={_default(setting)}"]
    return "\n".join(lines)


def _facts(title: str, setting: SettingField) -> dict[str, Any]:
    return {
        "process": title,
        "variable": setting.env[0],
        "aliases": list(setting.env[1:]),
        "type": _type(setting.type),
        "default": setting.default,
        "meaning": setting.description,
    }


def _default(setting: SettingField) -> str:
    match setting.default:
        case None | "":
            return ""
        case bool() as switch:
            return str(switch).lower()
        case tuple() as several:
            return ",".join(several)
        case value:
            return str(value)


def _type(kind: Any) -> str:
    """In words, with the bounds."""
    plain, limits = (get_args(kind)[0], get_args(kind)[1:]) if hasattr(kind, "__metadata__") else (kind, ())
    if get_origin(plain) in (Union, types.UnionType):
        plain = next(part for part in get_args(plain) if part is not type(None))
    words = _TYPES[get_origin(plain) or plain]
    bounds = [limit for limit in limits if isinstance(limit, msgspec.Meta)]
    low = next((limit.ge for limit in bounds if limit.ge is not None), None)
    above = next((limit.gt for limit in bounds if limit.gt is not None), None)
    high = next((limit.le for limit in bounds if limit.le is not None), None)
    said = [f"at least {low}"] * (low is not None) + [f"above {above}"] * (above is not None)
    return ", ".join([words, *said, *[f"at most {high}"] * (high is not None)])
