"""Every file says that a machine drew it: a C2PA manifest, read back with c2pa's own reader."""

from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import c2pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from contracts.images import ImageFormat, InputImage
from runtime.process.settings import SettingsError
from runtime.worker.images.output import Output
from runtime.worker.images.provenance import CHANGED, DRAWN, PictureSigner, ProvenanceSettings, make_signer
from tests.support.builders import generate_image

PROMPT = "a kingfisher on a wire"
PICTURE = Image.effect_noise((96, 64), 60).convert("RGB")


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> PictureSigner:
    made = make_signer(ProvenanceSettings(data_dir=str(tmp_path_factory.mktemp("data"))))
    assert made is not None
    return made


def read(data: bytes, form: ImageFormat) -> tuple[str, dict[str, Any]]:
    """The state of a file's manifest, and the manifest."""
    with c2pa.Reader(form.content_type, io.BytesIO(data)) as reader:
        return reader.get_validation_state(), reader.get_active_manifest()


def action_of(manifest: dict[str, Any]) -> dict[str, Any]:
    (actions,) = [it["data"]["actions"] for it in manifest["assertions"] if it["label"].startswith("c2pa.actions")]
    (action,) = actions
    return dict(action)


def pem_file(folder: Path, key: Any, purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION) -> str:
    """An operator's key with a certificate of an authority."""
    root, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Studio")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        .sign(root, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "key.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return str(file)


@pytest.mark.parametrize("form", ImageFormat)
def test_every_format_says_that_a_machine_drew_it_and_keeps_its_parameters(
    signer: PictureSigner, form: ImageFormat
) -> None:
    request = generate_image(width=96, height=64, output_format=form, prompt=PROMPT)
    data = Output(signer=signer).encode(PICTURE, request, 0)
    state, manifest = read(data, form)
    assert state == "Valid"
    assert action_of(manifest)["action"] == "c2pa.created"
    assert action_of(manifest)["digitalSourceType"] == DRAWN
    assert manifest["claim_generator_info"][0]["name"] == "Easel"
    plain = Output().encode(PICTURE, request, 0)
    assert parameters_in(data) == parameters_in(plain)
    assert PROMPT in parameters_in(data)
    assert Image.open(io.BytesIO(data)).tobytes() == Image.open(io.BytesIO(plain)).tobytes()


def test_a_thumbnail_says_so_too_and_has_no_prompt(signer: PictureSigner) -> None:
    small = Output(signer=signer).thumbnail(PICTURE, generate_image(width=96, height=64, prompt=PROMPT))
    state, manifest = read(small, ImageFormat.JPEG)
    assert (state, action_of(manifest)["digitalSourceType"]) == ("Valid", DRAWN)
    assert PROMPT.encode() not in small


def parameters_in(data: bytes) -> str:
    image = Image.open(io.BytesIO(data))
    if "parameters" in image.info:
        return str(image.info["parameters"])
    return bytes(image.getexif().get_ifd(0x8769)[0x9286])[8:].decode("utf-16-be")


def test_a_picture_made_from_another_says_so(signer: PictureSigner) -> None:
    request = generate_image(width=96, height=64, init_image=InputImage(key="k", size=1))
    _, manifest = read(Output(signer=signer).encode(PICTURE, request, 0), ImageFormat.PNG)
    assert action_of(manifest)["digitalSourceType"] == CHANGED


@pytest.mark.parametrize("form", ImageFormat)
def test_the_prompt_is_not_in_the_manifest(signer: PictureSigner, form: ImageFormat) -> None:
    """With the parameters switched off it is nowhere in the file."""
    request = generate_image(width=96, height=64, output_format=form, prompt=PROMPT)
    data = Output(metadata=False, signer=signer).encode(PICTURE, request, 0)
    assert read(data, form)[0] == "Valid"
    for spelt in (PROMPT.encode(), PROMPT.encode("utf-16-be"), PROMPT.encode("utf-16-le")):
        assert spelt not in data


def test_a_changed_picture_is_told_from_a_true_one(signer: PictureSigner) -> None:
    data = bytearray(Output(signer=signer).encode(PICTURE, generate_image(width=96, height=64), 0))
    data[-20] ^= 1
    assert read(bytes(data), ImageFormat.PNG)[0] == "Invalid"


def test_the_own_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    settings = ProvenanceSettings(data_dir=str(tmp_path / "new"))
    assert make_signer(settings) is not None
    (file,) = (tmp_path / "new").iterdir()
    before = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert make_signer(settings) is not None
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_written_does_not_stop_the_worker(tmp_path: Path) -> None:
    """In a container that is read-only: the key lives as long as the process."""
    (tmp_path / "file").write_text("")
    assert make_signer(ProvenanceSettings(data_dir=str(tmp_path / "file" / "below"))) is not None


KEYS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
def test_the_operators_own_key_signs(tmp_path: Path, kind: str) -> None:
    own = make_signer(ProvenanceSettings(provenance="on", key_file=pem_file(tmp_path, KEYS[kind]())))
    data = Output(signer=own).encode(PICTURE, generate_image(width=96, height=64), 0)
    state, manifest = read(data, ImageFormat.PNG)
    assert (state, manifest["signature_info"]["issuer"]) == ("Valid", "Studio")


def test_a_certificate_for_another_purpose_is_refused_at_start(tmp_path: Path) -> None:
    file = pem_file(tmp_path, KEYS["p256"](), ExtendedKeyUsageOID.SERVER_AUTH)
    with pytest.raises(SettingsError, match="EASEL_PROVENANCE_KEY_FILE"):
        make_signer(ProvenanceSettings(key_file=file))


@pytest.mark.parametrize("content", [b"", b"no pem", None])
def test_a_file_that_is_no_key_is_refused_at_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match="EASEL_PROVENANCE_KEY_FILE"):
        make_signer(ProvenanceSettings(key_file=str(file)))


def test_a_certificate_of_another_key_is_refused_at_start(tmp_path: Path) -> None:
    file = Path(pem_file(tmp_path, KEYS["p256"]()))
    other = KEYS["p256"]().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(other + file.read_bytes()[file.read_bytes().index(b"-----BEGIN CERTIFICATE") :])
    with pytest.raises(SettingsError, match="not that of its key"):
        make_signer(ProvenanceSettings(key_file=str(file)))


WITHOUT = """
import sys
sys.modules["c2pa"] = None
from runtime.process.settings import SettingsError
from runtime.worker.images.provenance import ProvenanceSettings, make_signer
assert make_signer(ProvenanceSettings()) is None
try:
    make_signer(ProvenanceSettings(provenance="on"))
except SettingsError as fault:
    print(fault)
"""


def test_a_device_without_c2pa_draws_unsigned_unless_told_to_sign() -> None:
    said = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True).stdout
    assert "easel[provenance]" in said


def test_it_can_be_switched_off() -> None:
    assert make_signer(ProvenanceSettings(provenance="off")) is None
    data = Output().encode(PICTURE, generate_image(width=96, height=64), 0)
    with pytest.raises(c2pa.C2paError):
        read(data, ImageFormat.PNG)
    assert json.dumps(Image.open(io.BytesIO(data)).info)
