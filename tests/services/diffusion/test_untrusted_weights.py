"""What comes with a model may draw and nothing else: no pickle, no code, no other file than the one named."""

from __future__ import annotations

import ast
import json
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("diffusers")

import msgspec

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import BUILT_IN, Catalogue, Model
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.integrity import blobs, check_blobs, check_files, sha256_of
from tests.conformance.image_engine import Steps, request_for

ROOT = Path(__file__).parents[3]
TinyModel = Callable[[str], Path]
FAMILY = "stable-diffusion"


class Poison:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._trace,))


@pytest.fixture
def folder(tiny_model: TinyModel, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model(FAMILY), tmp_path / "model")


def draw(folder: Path) -> None:
    engine = DiffusersEngine([Catalogue().find(str(folder))], device="cpu")
    engine.generate(request_for(engine.models[0], num_inference_steps=engine.models[0].min_steps), Steps())


def test_the_poison_works(tmp_path: Path) -> None:
    """Or the tests below would prove nothing."""
    pickle.loads(pickle.dumps(Poison(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt", ".pth", ".pkl"])
def test_poisoned_weights_are_refused_and_do_not_run(folder: Path, tmp_path: Path, part: str, suffix: str) -> None:
    (weights,) = (folder / part).glob("*.safetensors")
    poison = weights.with_suffix(suffix)
    weights.unlink()
    poison.write_bytes(pickle.dumps(Poison(tmp_path / "trace")))
    with pytest.raises(EaselError, match="can run code and are never") as caught:
        draw(folder)
    assert caught.value.code == ErrorCode.ENGINE_FAILED
    assert not (tmp_path / "trace").exists()


@pytest.mark.usefixtures("one_torch_thread")
def test_poison_beside_the_weights_is_never_read(folder: Path, tmp_path: Path) -> None:
    """As many publishers keep both."""
    poison = pickle.dumps(Poison(tmp_path / "trace"))
    for part in ("unet", "vae"):
        (folder / part / "diffusion_pytorch_model.bin").write_bytes(poison)
    (folder / "text_encoder" / "pytorch_model.bin").write_bytes(poison)
    (folder / "model.ckpt").write_bytes(poison)
    draw(folder)
    assert not (tmp_path / "trace").exists()


def test_a_pickle_that_calls_itself_safetensors_does_not_run(folder: Path, tmp_path: Path) -> None:
    (weights,) = (folder / "unet").glob("*.safetensors")
    weights.write_bytes(pickle.dumps(Poison(tmp_path / "trace")))
    with pytest.raises(EaselError) as caught:
        draw(folder)
    assert caught.value.code == ErrorCode.ENGINE_FAILED
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("library", ["my_module", "os", "services.diffusion"])
def test_parts_with_code_of_their_own_are_refused_and_do_not_run(folder: Path, tmp_path: Path, library: str) -> None:
    code = f"from pathlib import Path\nPath({str(tmp_path / 'trace')!r}).touch()\n"
    (folder / "unet" / "my_module.py").write_text(code)
    (folder / "my_module.py").write_text(code)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": [library, "MyNetwork"]}))
    with pytest.raises(EaselError, match="is never run") as caught:
        draw(folder)
    assert caught.value.code == ErrorCode.UNSUPPORTED
    assert not (tmp_path / "trace").exists()


@pytest.mark.usefixtures("one_torch_thread")
def test_code_that_a_part_maps_itself_to_does_not_run(folder: Path, tmp_path: Path) -> None:
    """`auto_map` is how transformers finds remote code, which it runs when told to trust it."""
    (folder / "text_encoder" / "mine.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\n")
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    mapped = config | {"auto_map": {"AutoModel": "mine.Mine", "AutoConfig": "mine.Config"}}
    (folder / "text_encoder" / "config.json").write_text(json.dumps(mapped))
    draw(folder)
    assert not (tmp_path / "trace").exists()


def test_nothing_that_ships_unpickles_or_trusts_remote_code() -> None:
    """By the calls in the source: each way that these libraries have."""
    found = []
    for file in [file for top in ("gateway", "runtime", "services", "cli") for file in (ROOT / top).rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg in ("trust_remote_code", "custom_pipeline"):
                found.append((file, node.arg))
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                found += [(file, name) for name in names if name in ("pickle", "dill", "joblib", "cloudpickle")]
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("torch.load", "np.load", "numpy.load"):
                found.append((file, ast.unparse(node)))
    assert [(str(file.relative_to(ROOT)), what) for file, what in found if not _takes_no_pickle(file)] == []


def _takes_no_pickle(file: Path) -> bool:
    """NumPy's own format, read with pickles refused."""
    loads = re.findall(r"np\.load\(.*", file.read_text())
    return bool(loads) and all("allow_pickle=False" in load for load in loads)


def test_the_bundled_models_files_are_those_of_the_catalogue() -> None:
    """After a training: replace the lines of [model.sha256] in catalogue.toml by those that this shows."""
    model = Catalogue().find("pocket")
    assert model.folder is not None
    found = {
        str(file.relative_to(model.folder)): sha256_of(file)
        for file in sorted(model.folder.rglob("*"))
        if file.is_file() and file.name not in ("NOTICE", "easel.json")
    }
    assert model.sha256 == found, "\n".join(f'"{name}" = "{digest}"' for name, digest in found.items())


def test_a_bundled_file_that_was_changed_is_not_loaded(tmp_path: Path) -> None:
    model = Catalogue().find("pocket")
    assert model.folder is not None
    other = shutil.copytree(model.folder, tmp_path / "pocket")
    with (other / "vae" / "diffusion_pytorch_model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\x01\x02\x03\x04")
    changed: Model = msgspec.structs.replace(model, folder=other, source=str(other))
    engine = DiffusersEngine([changed], device="cpu")
    with pytest.raises(EaselError, match=r"vae/diffusion_pytorch_model.safetensors is not the file") as caught:
        engine.load("pocket")
    assert (caught.value.code, engine.loaded) == (ErrorCode.ENGINE_FAILED, ())
    (other / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(EaselError, match="is missing"):
        check_files(other, model.sha256)


def test_every_model_of_the_hub_is_pinned_to_a_commit() -> None:
    on_the_hub = [model for model in map(Catalogue().find, Catalogue().ids) if model.folder is None]
    assert on_the_hub
    assert [model.info.id for model in on_the_hub if not re.fullmatch("[0-9a-f]{40}", model.revision)] == []
    assert BUILT_IN.is_file()


def test_a_download_that_is_not_what_the_hub_states_is_removed(tmp_path: Path) -> None:
    """Large files of its cache are named by their hash."""
    folder = tmp_path / "blobs"
    folder.mkdir()
    (folder / "small-config").write_text("{}")
    right, wrong = folder / "right", folder / ("0" * 64)
    right.write_bytes(b"weights")
    right = right.rename(folder / sha256_of(right))
    check_blobs(blobs(tmp_path))
    before = blobs(tmp_path)
    wrong.write_bytes(b"other weights")
    assert blobs(tmp_path) - before == {wrong}
    with pytest.raises(EaselError, match="hash that the hub states"):
        check_blobs(blobs(tmp_path) - before)
    assert (right.exists(), wrong.exists()) == (True, False)
