"""What the terminal shows of what the processes log."""

from __future__ import annotations

import pytest

from cli.launcher.child_lines import is_ready, reason, shown

READY = '{"ts": "2026", "level": "info", "event": "ready", "worker": "diffusion-1"}'
ERROR = '{"level": "error", "event": "cannot work", "fault": "no model", "service": "diffusion"}'


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (READY, ""),
        (ERROR, "error: cannot work: no model"),
        ("[12] 2026/11/21 05:00:00.000000 [INF] Server is ready", ""),
        ("[12] 2026/11/21 05:00:00.000000 [INF]", ""),
        ("[12] 2026/11/21 05:00:00.000000 [ERR] disk full", "error: disk full"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("{not json", "{not json"),
    ],
)
def test_only_trouble_is_shown(line: str, text: str) -> None:
    assert shown(line, verbose=False) == text


def test_verbose_shows_routine_too() -> None:
    assert shown(READY, verbose=True) == "info: ready (worker=diffusion-1)"


def test_only_the_log_line_itself_means_ready() -> None:
    assert is_ready(READY)
    assert not is_ready("ready")


def test_the_reason_is_the_last_error_else_the_last_words() -> None:
    assert reason([ERROR, "goodbye"]) == "cannot work: no model"
    assert reason(["Traceback", "ImportError: no module"]) == "ImportError: no module"
    assert reason([]) == "it said nothing"
