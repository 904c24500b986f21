"""Which files are LoRAs, for which models: by their headers, before anything is loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue
from services.diffusion.loras.lora_file import read_lora
from services.diffusion.loras.lora_folder import LoraFolder, lora_dir

SD15 = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 768)}
SDXL = {"unet.up_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.lora_A.weight": (4, 2048)}
SDXL_SGM = {"lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight": (4, 2048)}
SD3 = {"transformer.transformer_blocks.0.attn.to_q.lora_A.weight": (4, 1536)}
FLUX = {"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)}
FLUX_KOHYA = {"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 3072)}
FLUX_DOUBLE = {"transformer.transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)}
Z_IMAGE = {"diffusion_model.layers.0.attention.to_q.lora_A.weight": (4, 3840)}
OLD = {"unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight": (4, 768)}
TEXT = {"lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": (4, 768)}

TinyModel = Callable[[str], Path]


def header_only(file: Path, tensors: dict[str, tuple[int, ...]]) -> Path:
    """A safetensors file whose numbers are missing."""
    told = {key: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]} for key, shape in tensors.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **told}).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    return file


@pytest.mark.parametrize(
    ("tensors", "fits"),
    [
        (SD15, {"stable-diffusion-1.5", "stable-diffusion-1.5-lcm"}),
        (OLD, {"stable-diffusion-1.5", "stable-diffusion-1.5-lcm"}),
        (SDXL, {"sdxl"}),
        (SDXL_SGM, {"sdxl"}),
        (SD3, {"stable-diffusion-3-medium"}),
        (FLUX, {"flux.1-dev"}),
        (FLUX_KOHYA, {"flux.1-dev"}),
        (FLUX_DOUBLE, {"flux.1-dev"}),
        (Z_IMAGE, {"z-image-turbo"}),
    ],
)
def test_a_header_tells_the_models_that_a_lora_fits(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], fits: set[str]
) -> None:
    file = read_lora("x", header_only(tmp_path / "x.safetensors", tensors))
    ids = ("stable-diffusion-1.5", "stable-diffusion-1.5-lcm", "sdxl", "sd3", "flux-dev", "z-image-turbo")
    models = [Catalogue().find(name) for name in ids]
    assert {model.info.id for model in models if file.fits(model)} == {Catalogue().find(name).info.id for name in fits}


def test_a_lora_for_the_text_alone_may_fit_every_model_with_such_a_text_encoder(tmp_path: Path) -> None:
    file = read_lora("x", header_only(tmp_path / "x.safetensors", TEXT))
    assert file.fits(Catalogue().find("sdxl"))
    assert not file.fits(Catalogue().find("z-image-turbo"))


def test_a_folder_in_diffusers_format_says_itself_how_wide_it_is(tiny_model: TinyModel) -> None:
    pytest.importorskip("diffusers")
    widths = {family: Catalogue().find(str(tiny_model(family))).lora_widths for family in ("flux-dev", "z-image")}
    assert widths == {"flux-dev": (32,), "z-image": (32,)}
    assert Catalogue().find("pocket").lora_widths == (256,)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("lora_unet_mid_block_attn2_to_k.dora_scale", "is a DoRA"),
        ("lora_unet_mid_block_attn2_to_k.hada_w1_a", "is a LoHa"),
        ("lora_unet_mid_block_attn2_to_k.lokr_w1", "is a LoKr"),
        ("model.diffusion_model.input_blocks.0.0.weight", "no LoRA weights that Easel knows: it holds model.diffusion"),
    ],
)
def test_what_is_no_plain_lora_is_refused_by_name(tmp_path: Path, key: str, said: str) -> None:
    with pytest.raises(EaselError, match=said) as caught:
        read_lora("x", header_only(tmp_path / "x.safetensors", {key: (4, 4)}))
    assert caught.value.code is ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"\xff" * 40, (4).to_bytes(8, "little") + b"[1] "])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(content)
    with pytest.raises(EaselError, match="x is no safetensors file"):
        read_lora("x", file)


def test_a_folder_lists_its_files_by_their_paths_and_leaves_out_what_is_none(tmp_path: Path) -> None:
    header_only(tmp_path / "ink.safetensors", SD15)
    header_only(tmp_path / "styles" / "oil paint.safetensors", SDXL)
    header_only(tmp_path / "ink:0.5.safetensors", SD15)
    (tmp_path / "broken.safetensors").write_bytes(b"junk")
    (tmp_path / "old.ckpt").write_bytes(b"pickled")
    folder = LoraFolder(tmp_path)
    assert list(folder.files) == ["ink", "styles/oil paint"]
    assert folder.offered(Catalogue().find("stable-diffusion-1.5")).loras == ("ink",)
    assert folder.offered(Catalogue().find("sdxl")).loras == ("styles/oil paint",)


def test_a_folder_notices_what_comes_changes_and_goes(tmp_path: Path) -> None:
    folder = LoraFolder(tmp_path, look_every_s=0)
    assert not folder.files
    file = header_only(tmp_path / "ink.safetensors", SD15)
    first = folder.files["ink"]
    assert folder.files["ink"] is first
    header_only(file, SDXL)
    os.utime(file, ns=(1, 1))
    assert folder.files["ink"].width == 2048
    file.unlink()
    assert not folder.files


def test_the_folder_is_the_one_stated_or_beside_the_data(tmp_path: Path) -> None:
    assert lora_dir(str(tmp_path), {}) == tmp_path
    assert lora_dir("", {"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "easel" / "loras"
    assert not LoraFolder(tmp_path / "absent").files
