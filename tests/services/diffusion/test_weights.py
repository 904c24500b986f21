"""Weights that are not there: what people are told. Nothing here reaches the network."""

from __future__ import annotations

import httpx
import pytest

pytest.importorskip("diffusers")

import huggingface_hub.constants
import huggingface_hub.errors as hub

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.weights import explain_download

REQUEST = httpx.Request("GET", "https://hub.invalid/model")


def response(status: int) -> httpx.Response:
    return httpx.Response(status, request=REQUEST)


def explained(model: str, fault: Exception) -> EaselError:
    return explain_download(Catalogue().find(model), fault)


def test_without_a_connection_a_missing_model_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    engine = DiffusersEngine([Catalogue().find("sd3-medium")], device="cpu")
    with pytest.raises(EaselError, match="HF_HUB_OFFLINE") as caught:
        engine.load("sd3-medium")
    assert caught.value.code == ErrorCode.ENGINE_FAILED
    assert "HF_TOKEN" in caught.value.message
    assert engine.loaded == ()


def test_a_gated_model_says_where_to_accept_its_licence() -> None:
    told = explained("flux.1-dev", hub.GatedRepoError("gated", response=response(403)))
    assert "https://huggingface.co/black-forest-labs/FLUX.1-dev" in told.message
    assert "HF_TOKEN" in told.message


@pytest.mark.parametrize("kind", [hub.RepositoryNotFoundError, hub.RevisionNotFoundError])
def test_a_model_that_the_hub_does_not_have_is_not_found(kind: type[hub.HfHubHTTPError]) -> None:
    assert explained("sdxl", kind("gone", response=response(404))).code == ErrorCode.MODEL_NOT_FOUND


def test_the_first_cause_is_found_behind_others() -> None:
    fault = OSError("cannot load")
    fault.__cause__ = hub.GatedRepoError("gated", response=response(401))
    assert "is gated" in explained("flux.1-dev", fault).message


def test_a_model_without_safetensors_is_refused() -> None:
    fault = OSError("Could not find the necessary `safetensors` weights in {...}")
    assert "never loaded" in explained("sdxl", fault).message
