"""Folders of graphs for the Pi edge, each made once for a test run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.axera_edge.description import find_files
from services.axera_edge.engine import EdgeEngine
from services.axera_edge.sessions.onnxruntime_sessions import OnnxRuntimeSessions
from tools.edge_models.small import write_small_model

ROOT = Path(__file__).parents[2]
POCKET = ROOT / "services/diffusion/models/pocket"


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SD 1.5 LCM's names, shapes and types; draws coloured noise."""
    folder = tmp_path_factory.mktemp("small-model")
    write_small_model(folder)
    return folder


@pytest.fixture(scope="session")
def split_pocket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in the split of the card, by the command that users have."""
    folder = tmp_path_factory.mktemp("split-pocket")
    command = [sys.executable, "-W", "ignore", "-m", "tools.edge_models", "export", str(POCKET), str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def edge_engine(folder: Path) -> EdgeEngine:
    return EdgeEngine(find_files(folder), OnnxRuntimeSessions(threads=1))


@pytest.fixture(scope="session")
def patient_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `small_model`, for as many steps as a test needs to break in on it."""
    folder = tmp_path_factory.mktemp("patient-model")
    write_small_model(folder)
    np.save(folder / "time_input_txt2img.npy", np.zeros((1000, 1280), np.float32))
    description = {"scheduler": "DDIM", "timesteps": [], "allowed_steps": list(range(1, 201))}
    (folder / "edge.json").write_text(json.dumps(description))
    return folder
