"""A signed statement in every picture that a machine made it: a C2PA manifest, added to the encoded file.

The manifest says what drew (Easel and the model) and how (IPTC's `digitalSourceType`); prompts are not in it. It is
bound to the bytes, so nothing may change them afterwards (C2PA 2.2, https://spec.c2pa.org).
"""

from __future__ import annotations

import importlib.metadata
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import structlog
from msgspec import Meta
from PIL import Image

from contracts.images import GenerateImage
from runtime.process.folders import default_data_dir
from runtime.process.settings import SettingsError

if TYPE_CHECKING:
    import c2pa

    from runtime.worker.images.signing_key import SigningKey

log = structlog.get_logger()

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
DRAWN = f"{_IPTC}trainedAlgorithmicMedia"
CHANGED = f"{_IPTC}compositeWithTrainedAlgorithmicMedia"
"""Where the client gave a picture to start from."""
_LIBRARY = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
"""Of c2pa: a thumbnail would cost more than the rest together; the manifest is verified once, at start."""


class ProvenanceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of workers that draw."""

    provenance: Annotated[
        str,
        Meta(
            pattern="^(auto|on|off)$",
            description="Sign into every picture that a machine made it (a C2PA manifest); auto does where the extra "
            "`provenance` is installed.",
            extra={"env": ("EASEL_PROVENANCE",)},
        ),
    ] = "auto"
    key_file: Annotated[
        str,
        Meta(
            description="PEM file with the key that signs and its certificates, the key's own first. Empty: one that "
            "Easel makes and keeps in the data folder, which verifiers show as untrusted.",
            extra={"env": ("EASEL_PROVENANCE_KEY_FILE",)},
        ),
    ] = ""
    data_dir: Annotated[
        str,
        Meta(
            description="Folder of the key that is made where none is named. Empty: `$XDG_DATA_HOME/easel` or "
            "`~/.local/share/easel`.",
            extra={"env": ("EASEL_DATA_DIR",)},
        ),
    ] = ""


class PictureSigner:
    """Signs with one key. Safe from any thread.

    Raises:
        SettingsError: the key and its certificates cannot sign pictures.
    """

    def __init__(self, key: SigningKey) -> None:
        import c2pa  # noqa: PLC0415  23 MB that edges do without

        self._c2pa = c2pa
        self._context = c2pa.Context.from_dict(_LIBRARY)
        self._version = importlib.metadata.version("easel")
        try:
            info = c2pa.C2paSignerInfo(key.algorithm, key.certificates, key.key, None)
            self._signer = c2pa.Signer.from_info(info)
            self._try()
        except c2pa.C2paError as fault:
            raise SettingsError([f"the key of EASEL_PROVENANCE_KEY_FILE cannot sign pictures: {fault}"]) from fault

    def sign(self, data: bytes, content_type: str, request: GenerateImage) -> bytes:
        """The encoded picture with its manifest, about 3 kB longer; the text in it stays as it is."""
        return self._signed(data, content_type, self._manifest(request.model, changed=request.init_image is not None))

    def _signed(self, data: bytes, content_type: str, manifest: dict[str, Any]) -> bytes:
        out = io.BytesIO()
        with self._c2pa.Builder(manifest, self._context) as builder:
            builder.sign(self._signer, content_type, io.BytesIO(data), out)
        return out.getvalue()

    def _manifest(self, model: str, *, changed: bool) -> dict[str, Any]:
        action = {
            "action": "c2pa.created",
            "digitalSourceType": CHANGED if changed else DRAWN,
            "softwareAgent": {"name": f"Easel, {model}", "version": self._version},
        }
        return {
            "claim_generator_info": [{"name": "Easel", "version": self._version}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
        }

    def _try(self) -> None:
        """Find out at start, not with the first picture, that a certificate has run out or serves another purpose."""
        out = io.BytesIO()
        Image.new("RGB", (8, 8)).save(out, "PNG")
        signed = self._signed(out.getvalue(), "image/png", self._manifest("none", changed=False))
        with self._c2pa.Reader("image/png", io.BytesIO(signed)) as reader:
            if reader.get_validation_state() == "Invalid":
                raise SettingsError([f"the key of EASEL_PROVENANCE_KEY_FILE signs what is not valid: {_why(reader)}"])


def _why(reader: c2pa.Reader) -> str:
    told = msgspec.json.decode(reader.json()).get("validation_status", [])
    return "; ".join(f"{status.get('code')}: {status.get('explanation', '')}" for status in told)


def make_signer(settings: ProvenanceSettings) -> PictureSigner | None:
    """The signer that `settings` ask for; None for none.

    Raises:
        SettingsError: the extra is not installed though provenance is on; a key that cannot sign.
    """
    if settings.provenance == "off":
        return None
    try:
        import c2pa  # noqa: F401, PLC0415  whether it is installed

        from runtime.worker.images import signing_key  # noqa: PLC0415  imports what the extra brings
    except ImportError as fault:
        if settings.provenance == "on":
            message = f"EASEL_PROVENANCE=on: {fault.name} is not installed: pip install 'easel[provenance]'"
            raise SettingsError([message]) from fault
        log.info("pictures are not signed: the extra provenance is not installed")
        return None
    if settings.key_file:
        return PictureSigner(signing_key.read(Path(settings.key_file).expanduser()))
    folder = Path(settings.data_dir).expanduser() if settings.data_dir else default_data_dir(os.environ)
    return PictureSigner(signing_key.own(folder))
