"""The operator's words, and the looks at pictures that an operator can choose."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from runtime.process.safety import PromptBlocklist, SafetySettings
from runtime.process.settings import SettingsError, load
from runtime.worker.images.checker import Look, PictureChecker, make_checker

WHITE, BLACK = Image.new("RGB", (8, 8), "white"), Image.new("RGB", (8, 8), "black")


def refused(entries: list[str], prompt: str) -> bool:
    try:
        PromptBlocklist(entries).check(prompt)
    except EaselError as fault:
        return (fault.code, fault.param) == (ErrorCode.CONTENT_REFUSED, "prompt")
    return False


@pytest.mark.parametrize(
    "prompt",
    [
        "gore",
        "Gore, oil painting",
        "a painting of \uff27\uff2f\uff32\uff25",
        "go\u200bre",
        "blood   and\ngore",
        "some/gore/",
    ],
)
def test_a_word_is_found_however_it_is_written(prompt: str) -> None:
    assert refused(["gore"], prompt)


@pytest.mark.parametrize("prompt", ["the gorey alphabet", "Igore", "a category", ""])
def test_a_word_within_another_is_another_word(prompt: str) -> None:
    assert not refused(["gore"], prompt)


def test_phrases_expressions_and_remarks_are_told_apart() -> None:
    entries = ["# of our house rules", "", "  car crash ", r"/kill(ing|ed)?\b/"]
    assert refused(entries, "a Car  Crash at night")
    assert refused(entries, "KILLING time")
    assert not refused(entries, "a car, a crash, of our house rules, skillful")


def test_words_are_found_in_scripts_that_set_no_spaces() -> None:
    assert refused(["血腥"], "一张血腥的画")


def test_the_refusal_tells_neither_the_list_nor_the_prompt() -> None:
    with pytest.raises(EaselError) as caught:
        PromptBlocklist(["gore"]).check("gore by the sea")
    assert "gore" not in caught.value.message
    assert "sea" not in caught.value.message


def test_a_list_that_cannot_be_used_is_named_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        PromptBlocklist.read(str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="no regular expression"):
        PromptBlocklist(["/(/"])
    assert not PromptBlocklist.read("")._patterns


def checker(given: str, timeout_s: float = 30.0) -> PictureChecker:
    made = make_checker(SafetySettings(checker=given, checker_timeout_s=timeout_s))
    assert made is not None
    return made


def fault_of(look: PictureChecker, *images: Image.Image) -> EaselError:
    with pytest.raises(EaselError) as caught:
        look.check(list(images))
    return caught.value


def is_black(images: list[Image.Image]) -> list[bool]:
    """A look for the tests below."""
    return [image.getextrema()[0][1] == 0 for image in images]


PROGRAM = """
import io, sys
from PIL import Image
image = Image.open(io.BytesIO(sys.stdin.buffer.read()))
sys.exit(1 if image.getextrema()[0][1] == 0 else 0)
"""


class _Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "image/png"
        import io

        body = json.dumps({"flagged": is_black([Image.open(io.BytesIO(data))])[0]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/check"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", ["python", "command", "http"])
def test_a_picture_is_refused_by_whatever_looks_at_it(kind: str, service: str, tmp_path: Path) -> None:
    program = tmp_path / "look.py"
    program.write_text(PROGRAM)
    given = {"python": f"python:{__name__}:is_black", "command": f"command:{sys.executable} {program}", "http": service}
    look = checker(given[kind])
    look.check([WHITE, WHITE])
    assert "the picture was refused" in fault_of(look, BLACK).message
    fault = fault_of(look, WHITE, BLACK)
    assert (fault.code, "picture 2 of 2" in fault.message) == (ErrorCode.CONTENT_REFUSED, True)


def _broken(images: list[Image.Image]) -> list[bool]:
    raise RuntimeError("the look broke")


def _too_few(images: list[Image.Image]) -> list[bool]:
    return []


@pytest.mark.parametrize("look", [_broken, _too_few])
def test_a_look_that_fails_lets_nothing_through(look: Look) -> None:
    fault = fault_of(PictureChecker(look), WHITE)
    assert fault.code == ErrorCode.ENGINE_FAILED
    assert "nothing was kept" in fault.message


@pytest.mark.parametrize(
    "given",
    [
        f"command:{sys.executable} -c 'import sys; sys.exit(3)'",
        f"command:{sys.executable} -c 'import time; time.sleep(60)'",
        "command:/no/such/program",
        "http://127.0.0.1:9/",
    ],
)
def test_a_command_or_service_that_does_not_answer_lets_nothing_through(given: str) -> None:
    assert fault_of(checker(given, timeout_s=0.5), WHITE).code == ErrorCode.ENGINE_FAILED


@pytest.mark.parametrize("given", ["python:no.such.module:look", "python:json:nothing", "command:'", "diffusers:/x"])
def test_a_checker_that_is_not_there_is_named_at_start(given: str) -> None:
    with pytest.raises(SettingsError, match="EASEL_SAFETY_CHECKER"):
        checker(given)
    with pytest.raises(SettingsError, match="EASEL_SAFETY_CHECKER"):
        load(SafetySettings, {"EASEL_SAFETY_CHECKER": "clip"})
