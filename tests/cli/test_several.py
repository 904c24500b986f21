"""`easel generate` with several prompts, seeds and pictures to start from."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.client.seeds import parse_seeds
from cli.faults import CliError
from tests.cli.conftest import JOB, PICTURE
from tests.cli.stub_gateway import StubGateway


def easel(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def asked(gateway: StubGateway) -> list[dict[str, object]]:
    return [body for method, _, _, body in gateway.seen if method == "POST"]


def test_every_prompt_with_every_seed_is_a_job_and_its_picture_a_file(gateway: StubGateway, tmp_path: Path) -> None:
    ended = easel("generate", "a boat", "a barn", "--seed", "4,7-8", "-o", str(tmp_path))
    assert [(body["prompt"], body["seed"]) for body in asked(gateway)] == [
        (prompt, seed) for prompt in ("a boat", "a barn") for seed in (4, 7, 8)
    ]
    names = [Path(line).name for line in ended.stdout.split()]
    assert names == [f"{word}-{number}.png" for word in ("a-boat", "a-barn") for number in (1, 2, 3)]


def test_pictures_of_several_prompts_are_numbered_after_a_named_file(gateway: StubGateway, tmp_path: Path) -> None:
    ended = easel("generate", "a boat", "a barn", "-o", f"{tmp_path}/out.png")
    assert [Path(line).name for line in ended.stdout.split()] == ["out-1.png", "out-2.png"]


def test_a_job_that_failed_does_not_stop_the_others(gateway: StubGateway, tmp_path: Path) -> None:
    failed = {"state": "failed", "images": [], "error": {"code": "engine_failed", "message": "out of memory"}}
    answers = iter([("finished", "999999.999999", failed)])
    working = gateway.routes[f"GET /job/{JOB}/events"]
    gateway.routes[f"GET /job/{JOB}/events"] = lambda r: (
        r.events(answer) if (answer := next(answers, None)) else working(r)
    )
    ended = easel("generate", "a boat", "a barn", "-o", str(tmp_path))
    assert (ended.exit_code, len(ended.stdout.split())) == (5, 1)
    assert "out of memory" in ended.stderr


def test_a_picture_to_start_from_and_its_mask_are_sent(gateway: StubGateway, tmp_path: Path) -> None:
    (tmp_path / "boat.png").write_bytes(PICTURE)
    (tmp_path / "mask.png").write_bytes(PICTURE + b"mask")
    flags = ["--init-image", f"{tmp_path}/boat.png", "--mask", f"{tmp_path}/mask.png", "--strength", "0.4"]
    assert easel("generate", "at night", *flags, "-o", str(tmp_path)).exit_code == 0
    (body,) = asked(gateway)
    assert base64.b64decode(str(body["init_image"])) == PICTURE
    assert base64.b64decode(str(body["mask_image"])) == PICTURE + b"mask"
    assert body["strength"] == 0.4


def test_edit_takes_a_file_or_a_job(gateway: StubGateway, tmp_path: Path) -> None:
    (tmp_path / "boat.png").write_bytes(PICTURE)
    gateway.routes[f"POST /job/{JOB}/edit"] = gateway.routes["POST /generate/async"]
    assert easel("edit", f"{tmp_path}/boat.png", "at night", "-o", str(tmp_path)).exit_code == 0
    assert easel("edit", JOB, "at night", "--index", "2", "-o", str(tmp_path)).exit_code == 0
    first, second = asked(gateway)
    assert base64.b64decode(str(first["init_image"])) == PICTURE
    assert second == {"prompt": "at night", "index": 2}


def test_a_picture_is_drawn_apart_from_others_where_that_is_asked(gateway: StubGateway, tmp_path: Path) -> None:
    assert easel("generate", "a boat", "--deterministic", "-o", str(tmp_path)).exit_code == 0
    assert easel("generate", "a boat", "-o", str(tmp_path)).exit_code == 0
    first, second = asked(gateway)
    assert first["deterministic"] is True
    assert "deterministic" not in second


def test_a_step_cache_is_passed_on(gateway: StubGateway, tmp_path: Path) -> None:
    assert easel("generate", "a boat", "--cache", "deepcache:5", "-o", str(tmp_path)).exit_code == 0
    assert easel("generate", "a boat", "-o", str(tmp_path)).exit_code == 0
    first, second = asked(gateway)
    assert first["cache"] == "deepcache:5"
    assert "cache" not in second


def test_retry_queues_the_job_again_and_saves_its_picture(gateway: StubGateway, tmp_path: Path) -> None:
    gateway.routes[f"GET /job/{JOB}"] = lambda r: r.json({"job_id": JOB, "prompt": "a boat", "num_images": 1})
    gateway.routes[f"POST /job/{JOB}/retry"] = gateway.routes["POST /generate/async"]
    ended = easel("jobs", "retry", JOB, "-o", str(tmp_path))
    assert (ended.exit_code, Path(ended.stdout.strip()).name) == (0, "a-boat.png")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["generate", "x", "--seed", "red"], "are not seeds"),
        (["generate", "x", "--seed", "9-4"], "the lower one first"),
        (["generate", "x", "--seed", "0-4000000"], "more than 100 seeds"),
        (["generate", "x", "--mask", "m.png"], "--init-image FILE"),
        (["generate", "x", "--init-image", "nowhere.png"], "cannot read --init-image nowhere.png"),
        (["generate", "x", "--init-image", __file__], "is not a PNG, JPEG or WebP picture"),
        (["generate", "x", "y", "-o", "-"], "-o - takes one picture"),
        (["edit", __file__, "x", "--index", "1"], "a file has one"),
    ],
)
def test_wrong_usage_ends_with_2_and_asks_nothing(gateway: StubGateway, words: list[str], complaint: str) -> None:
    ended = easel(*words)
    assert (ended.exit_code, gateway.seen) == (2, [])
    assert complaint in ended.stderr


def test_seeds_are_read_as_people_write_them() -> None:
    assert parse_seeds("") == parse_seeds("-1") == [None]
    assert parse_seeds("3, 1,10-12") == [3, 1, 10, 11, 12]
    with pytest.raises(CliError):
        parse_seeds("4294967296")
