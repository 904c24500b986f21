"""What a child process says, as a person wants to read it: log lines shortened, routine ones left to the log file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

LOUD = ("warning", "error", "critical")
_NATS_LEVEL = re.compile(r"^\[\d+\] \S+ \S+ \[(?P<level>\w{3})\] ?(?P<text>.*)$")
_NATS_LOUD = {"WRN": "warning", "ERR": "error", "FTL": "critical"}
_HIDDEN = ("ts", "level", "event", "service", "logger", "exception")


def fields_of(line: str) -> dict[str, Any]:
    """The fields of a JSON log line or of one of nats-server's; empty for anything else."""
    if line.startswith("{"):
        try:
            found = json.loads(line)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    if nats := _NATS_LEVEL.match(line):
        return {"level": _NATS_LOUD.get(nats["level"], "info"), "event": nats["text"]}
    return {}


def is_ready(line: str) -> bool:
    """Whether a worker says that it takes jobs."""
    return fields_of(line).get("event") == "ready"


def shown(line: str, *, verbose: bool) -> str:
    """The line for the terminal, empty for none. What is not a log line (a traceback, say) is shown as it is."""
    fields = fields_of(line)
    if not fields:
        return line
    level = str(fields.get("level", "info"))
    return f"{level}: {_sentence(fields)}" if verbose or level in LOUD else ""


def reason(lines: Iterable[str]) -> str:
    """Why a process ended, from its last lines: the last error it logged, else the last thing it said."""
    said = ""
    for line in reversed(list(lines)):
        fields = fields_of(line)
        if fields.get("level") in LOUD[1:]:
            return _sentence(fields)
        said = said or (_sentence(fields) if fields else line.strip())
    return said or "it said nothing"


def _sentence(fields: dict[str, Any]) -> str:
    rest = [f"{name}={value}" for name, value in fields.items() if name not in (*_HIDDEN, "fault")]
    told = ": ".join(str(fields[name]) for name in ("event", "fault") if fields.get(name))
    return f"{told} ({', '.join(rest)})" if rest else told
