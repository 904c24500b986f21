"""The card's library behind the adapter: a double with pyaxengine's documented behaviour, no card."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from contracts.errors import EaselError
from services.axera_edge.description import find_files
from services.axera_edge.engine import EdgeEngine
from services.axera_edge.sessions.choose import choose_sessions
from services.axera_edge.sessions.session import Graph
from services.axera_edge.settings import EdgeSettings
from tests.conformance.image_engine import Steps, draw, request_for
from tests.support.edge_models import edge_engine
from tests.support.edge_process import PROGRAM
from tools.edge_models.small import write_small_model

DOUBLE = Path(__file__).parents[2] / "support/axengine_double"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model under the names that compiled graphs have."""
    folder = tmp_path_factory.mktemp("compiled")
    write_small_model(folder, suffix=".axmodel")
    return folder


@pytest.fixture
def axengine(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOUBLE))
    import axengine

    assert str(DOUBLE) in str(axengine.__file__)
    axengine.InferenceSession.opened.clear()
    return axengine


@pytest.fixture
def card(axengine: ModuleType, compiled: Path) -> EdgeEngine:
    files = find_files(compiled)
    return EdgeEngine(files, choose_sessions(EdgeSettings(device_id=1), files))


def test_the_card_draws_what_the_cpu_draws_from_the_same_graphs(card: EdgeEngine, small_model: Path) -> None:
    on_cpu = edge_engine(small_model)
    assert np.array_equal(draw(card, card.models[0], num_images=2), draw(on_cpu, card.models[0], num_images=2))


def test_every_graph_is_opened_once_on_the_device_that_was_chosen(card: EdgeEngine, axengine: ModuleType) -> None:
    card.load("sd15-lcm")
    draw(card, card.models[0])
    assert len(axengine.InferenceSession.opened) == 4
    assert {device for _, device in axengine.InferenceSession.opened} == {1}
    assert "AXCLRTExecutionProvider" in card.device


def test_the_card_is_never_used_by_two_threads_at_once(card: EdgeEngine) -> None:
    results: list[np.ndarray] = []
    request = request_for(card.models[0])
    threads = [
        threading.Thread(target=lambda: results.append(np.asarray(card.generate(request, Steps())[0])))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert all(np.array_equal(results[0], result) for result in results)


def test_inputs_are_made_contiguous_before_their_memory_is_copied(axengine: ModuleType, compiled: Path) -> None:
    sessions = choose_sessions(EdgeSettings(), find_files(compiled))
    path = compiled / "vae_decoder.axmodel"
    graph = Graph(path, sessions(path), latents=("x",))
    latents = np.random.default_rng(0).normal(size=(1, 4, 64, 64)).astype(np.float32)
    assert np.array_equal(graph(latents=np.asfortranarray(latents)), graph(latents=latents))


@pytest.mark.parametrize(
    ("given", "said"),
    [(np.zeros((1, 4, 64, 32), np.float32), "64, 32"), (np.zeros((1, 4, 64, 64), np.int32), "int32")],
)
def test_a_wrong_input_is_refused_before_it_reaches_the_card(
    axengine: ModuleType, compiled: Path, given: np.ndarray, said: str
) -> None:
    path = compiled / "vae_decoder.axmodel"
    graph = Graph(path, choose_sessions(EdgeSettings(), find_files(compiled))(path), latents=("x",))
    with pytest.raises(EaselError, match=said):
        graph(latents=given)


def test_an_unknown_name_of_one_input_is_found_by_what_is_left(axengine: ModuleType, compiled: Path) -> None:
    path = compiled / "unet.axmodel"
    session = choose_sessions(EdgeSettings(), find_files(compiled))(path)
    graph = Graph(path, session, latents=("sample",), embeddings=("encoder_hidden_states",), time=("unheard of",))
    assert graph.spec("time").shape == (1, 1280)
    with pytest.raises(EaselError, match="encoder_hidden_states"):
        Graph(path, session, latents=("sample",), embeddings=("text",), time=("unheard of",))


def test_a_result_outlives_the_next_run(axengine: ModuleType, compiled: Path) -> None:
    path = compiled / "vae_decoder.axmodel"
    session = choose_sessions(EdgeSettings(), find_files(compiled))(path)
    first = session.run({"x": np.ones((1, 4, 64, 64), np.float32)})[0]
    before = first.copy()
    session.run({"x": np.zeros((1, 4, 64, 64), np.float32)})
    assert np.array_equal(first, before)


def test_a_provider_that_is_not_there_is_told_with_those_that_are(axengine: ModuleType, compiled: Path) -> None:
    with pytest.raises(EaselError, match="it has AXCLRTExecutionProvider"):
        choose_sessions(EdgeSettings(provider="AxEngineExecutionProvider"), find_files(compiled))


@pytest.mark.parametrize(
    ("there", "said"),
    [("no-card", "0x8030010b: the driver's node /dev/axcl_host"), ("no-driver", "No providers found")],
)
def test_the_process_ends_with_what_to_do_when_there_is_no_card(compiled: Path, there: str, said: str) -> None:
    environ = os.environ | {"PYTHONPATH": str(DOUBLE), "AXENGINE_DOUBLE": there}
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), "--model-dir", str(compiled), "--port", "0"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")  # what axengine prints does not pass for output of ours
    assert said in ended.stderr
    assert "RASPBERRY_PI_SETUP.md" in ended.stderr
