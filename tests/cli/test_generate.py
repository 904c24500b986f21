"""`easel generate` against a server that plays the gateway."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from tests.cli.conftest import JOB, PICTURE, image
from tests.cli.stub_gateway import Request, StubGateway
from tests.support.ports import free_port

PROMPT = "a red fox in the snow"


def easel(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin)


def test_the_picture_is_written_and_its_path_is_the_only_result(gateway: StubGateway, tmp_path: Path) -> None:
    ended = easel("generate", PROMPT, "-o", f"{tmp_path}/fox.png")
    assert (0, f"{tmp_path}/fox.png\n") == (ended.exit_code, ended.stdout)
    assert (tmp_path / "fox.png").read_bytes() == PICTURE


def test_the_flags_become_the_fields_of_the_request(gateway: StubGateway, tmp_path: Path) -> None:
    flags = "--width 640 --height 384 --steps 30 --guidance-scale 8.5 --negative-prompt blur --seed 42 --model pocket"
    flags += " --lora ink --lora styles/fog:0.5"
    easel("generate", PROMPT, *flags.split(), "-o", str(tmp_path))
    assert gateway.seen[0][3] == {
        "prompt": PROMPT,
        "width": 640,
        "height": 384,
        "num_inference_steps": 30,
        "guidance_scale": 8.5,
        "negative_prompt": "blur",
        "seed": 42,
        "model": "pocket",
        "loras": ["ink", "styles/fog:0.5"],
    }


def test_what_was_not_given_is_left_to_the_server_and_seed_minus_one_is_any(
    gateway: StubGateway, tmp_path: Path
) -> None:
    easel("generate", PROMPT, "--seed", "-1", "-o", str(tmp_path))
    assert gateway.seen[0][3] == {"prompt": PROMPT}


def test_a_dash_as_output_writes_the_bytes_and_nothing_else_to_stdout(gateway: StubGateway) -> None:
    ended = easel("generate", PROMPT, "-o", "-")
    assert ended.stdout_bytes == PICTURE


def test_a_dash_as_prompt_reads_stdin(gateway: StubGateway, tmp_path: Path) -> None:
    easel("generate", "-", "-o", str(tmp_path), stdin=PROMPT)
    assert gateway.seen[0][3]["prompt"] == PROMPT


def test_without_output_the_file_is_named_after_the_prompt_and_replaces_nothing(
    gateway: StubGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [easel("generate", "A red fox, in the snow!").stdout.strip() for _ in range(2)]
    assert names == ["a-red-fox-in-the-snow.png", "a-red-fox-in-the-snow-2.png"]


def test_the_files_name_chooses_the_format(gateway: StubGateway, tmp_path: Path) -> None:
    gateway.routes[f"GET /job/{JOB}/image"] = lambda r: r.bytes(PICTURE, "image/jpeg")
    ended = easel("generate", PROMPT, "-o", f"{tmp_path}/fox.JPG")
    assert (ended.stdout, gateway.seen[0][3]["output_format"]) == (f"{tmp_path}/fox.JPG\n", "jpeg")


def test_several_pictures_are_numbered(gateway: StubGateway, tmp_path: Path) -> None:
    finished = {"state": "succeeded", "images": [image(0), image(1)], "error": None}
    gateway.routes[f"GET /job/{JOB}/events"] = lambda r: r.events(("finished", "999999.999999", finished))
    ended = easel("generate", PROMPT, "-n", "2", "-o", f"{tmp_path}/fox.png")
    assert [f"{tmp_path}/fox-1.png", f"{tmp_path}/fox-2.png"] == ended.stdout.split()
    assert [f"/job/{JOB}/image?index={index}" for index in (0, 1)] == [path for _, path, _, _ in gateway.seen[-2:]]


def test_json_names_the_job_and_its_files(gateway: StubGateway, tmp_path: Path) -> None:
    ended = easel("generate", PROMPT, "--json", "-o", f"{tmp_path}/fox.png")
    assert {
        "job_id": JOB,
        "state": "succeeded",
        "images": [{"path": f"{tmp_path}/fox.png", **image()}],
        "error": None,
        "error_code": None,
    } == json.loads(ended.stdout)


def test_metadata_stands_beside_the_picture(gateway: StubGateway, tmp_path: Path) -> None:
    job = {"job_id": JOB, "prompt": PROMPT, "num_inference_steps": 4, "status": "succeeded"}
    gateway.routes[f"GET /job/{JOB}"] = lambda r: r.json(job)
    easel("generate", PROMPT, "--steps", "4", "--save-metadata", "-o", f"{tmp_path}/fox.png")
    facts = json.loads((tmp_path / "fox.json").read_text())
    assert facts == {"job_id": JOB, "prompt": PROMPT, "num_inference_steps": 4, "seed": 40, "width": 64, "height": 48}


def test_what_the_gateway_warns_of_is_told_on_stderr(gateway: StubGateway) -> None:
    reply = {"success": True, "job_id": JOB, "status": "queued"}
    gateway.routes["POST /generate/async"] = lambda r: r.json(reply, 202, X_Easel_Warning="width 70 became 64")
    ended = easel("generate", PROMPT, "--no-wait", "--width", "70")
    assert (ended.stdout, ended.stderr) == (f"{JOB}\n", "easel: note: width 70 became 64\n")


def test_no_wait_prints_the_job_id_at_once(gateway: StubGateway) -> None:
    assert f"{JOB}\n" == easel("generate", PROMPT, "--no-wait").stdout
    assert len(gateway.seen) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["  "], "the prompt is empty"),
        ([PROMPT, "-o", "nowhere/fox.png"], "there is no folder nowhere"),
        ([PROMPT, "-o", "fox.gif"], "write -o fox.png"),
        ([PROMPT, "-o", "-", "-n", "2"], "-o - takes one picture"),
        ([PROMPT, "-o", "-", "--json"], "both want stdout"),
        ([PROMPT, "--width", "wide"], "Invalid value for '--width'"),
        ([PROMPT, "--sed", "4"], "No such option: --sed"),
        ([PROMPT, "--url", "localhost:8000"], "is not a URL"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_asked_of_the_server(
    gateway: StubGateway, words: list[str], complaint: str
) -> None:
    ended = easel("generate", *words)
    assert (ended.exit_code, gateway.seen) == (2, [])
    assert complaint in ended.stderr
    assert ended.stderr.startswith("easel: ")
    assert len(ended.stderr.splitlines()) == 1


def test_no_gateway_ends_with_3_and_says_how_to_start_one() -> None:
    ended = easel("generate", PROMPT, "--no-wait", "--url", f"http://127.0.0.1:{free_port()}")
    assert ended.exit_code == 3
    assert "start one with 'easel up'" in ended.stderr


def test_a_refusal_ends_with_4_and_the_servers_words_said_once(gateway: StubGateway) -> None:
    refusal = {"success": False, "error": "the queue is full; come back in 7 s", "code": "queue_full"}
    gateway.routes["POST /generate/async"] = lambda r: r.json(refusal, 429, Retry_After="7")
    ended = easel("generate", PROMPT, "-o", "fox.png")
    assert (ended.exit_code, ended.stderr) == (4, "easel: the queue is full; come back in 7 s (HTTP 429)\n")


def test_a_missing_key_says_which_variable_to_set(gateway: StubGateway) -> None:
    gateway.routes["POST /generate/async"] = lambda r: r.json({"error": {"message": "a key is needed"}}, 401)
    assert "EASEL_API_KEY" in easel("generate", PROMPT).stderr


def test_the_key_travels_as_a_bearer_token(gateway: StubGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EASEL_API_KEY", "easel-123")
    easel("generate", PROMPT, "--no-wait")
    assert gateway.seen[0][2]["authorization"] == "Bearer easel-123"


def test_a_failed_job_ends_with_5_and_its_reason(gateway: StubGateway) -> None:
    failed = {"state": "failed", "images": [], "error": {"code": "engine_failed", "message": "out of memory"}}
    gateway.routes[f"GET /job/{JOB}/events"] = lambda r: r.events(("finished", "999999.999999", failed))
    ended = easel("generate", PROMPT, "--json")
    assert (5, f"easel: job {JOB} failed: out of memory\n") == (ended.exit_code, ended.stderr)
    assert (json.loads(ended.stdout)["state"], json.loads(ended.stdout)["error_code"]) == ("failed", "engine_failed")


def test_a_fault_of_the_server_ends_with_1_in_one_line(gateway: StubGateway) -> None:
    gateway.routes["POST /generate/async"] = lambda r: r.bytes(b"<html>", "text/html", 500)
    ended = easel("generate", PROMPT)
    assert (ended.exit_code, len(ended.stderr.splitlines())) == (1, 1)


def test_progress_goes_nowhere_when_stderr_is_not_a_terminal(gateway: StubGateway, tmp_path: Path) -> None:
    ended = easel("generate", PROMPT, "-o", f"{tmp_path}/fox.png")
    assert "step" not in ended.stderr


def test_on_a_terminal_the_bar_goes_to_stderr_and_the_bytes_to_stdout(gateway: StubGateway) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli", "generate", PROMPT, "-o", "-"]
    with subprocess.Popen(
        command, env={**os.environ, "TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        data, _ = process.communicate(timeout=30)
    assert (data, process.returncode) == (PICTURE, 0)
    assert b"step 2/2" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the last writer has closed it
        return b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_before_the_job_is_known_here_cancels_it_all_the_same(gateway: StubGateway, number: int) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slowly(request: Request) -> None:
        asked.set()
        answer.wait(30)
        request.json({"success": True, "job_id": JOB, "status": "queued"}, 202)

    gateway.routes["POST /generate/async"] = slowly
    command = [sys.executable, "-m", "cli", "generate", PROMPT]
    with subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.PIPE, text=True) as process:
        assert asked.wait(30)
        process.send_signal(number)
        answer.set()
        _, said = process.communicate(timeout=30)
    assert (130, f"easel: cancelled job {JOB}\n") == (process.returncode, said)
    assert gateway.asked("DELETE", f"/job/{JOB}")


def test_a_submission_that_broke_off_is_sent_again_under_the_same_key(gateway: StubGateway, tmp_path: Path) -> None:
    keys: list[str] = []

    def broken_once(request: Request) -> None:
        keys.append(request.headers["idempotency-key"])
        if len(keys) > 1:  # the first one gets no answer
            request.json({"success": True, "job_id": JOB, "status": "queued"}, 202)

    gateway.routes["POST /generate/async"] = broken_once
    assert easel("generate", PROMPT, "-o", f"{tmp_path}/fox.png").exit_code == 0
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_the_job_on_the_server_and_ends_with_130(gateway: StubGateway, number: int) -> None:
    following, gone = threading.Event(), threading.Event()

    def forever(request: Request) -> None:
        request.events(("queued", "0.0", {}))
        following.set()
        gone.wait(30)

    gateway.routes[f"GET /job/{JOB}/events"] = forever
    command = [sys.executable, "-m", "cli", "generate", PROMPT]
    with subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.PIPE, text=True) as process:
        assert following.wait(30)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        gone.set()
    assert (130, f"easel: cancelled job {JOB}\n") == (process.returncode, said)
    assert gateway.asked("DELETE", f"/job/{JOB}")
