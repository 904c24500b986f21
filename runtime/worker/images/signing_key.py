"""The key that signs pictures: the operator's from a PEM file, or one that Easel makes and keeps."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from runtime.process.settings import SettingsError

log = structlog.get_logger()

OWN_FILE = "provenance.pem"
_CURVES = {"secp256r1": b"es256", "secp384r1": b"es384", "secp521r1": b"es512"}
_YEARS = dt.timedelta(days=3653)


class SigningKey(NamedTuple):
    """As c2pa takes it."""

    algorithm: bytes
    """es256, es384, es512, ps256 or ed25519."""
    key: bytes
    """PKCS #8, PEM."""
    certificates: bytes
    """PEM, the key's own first, without the root where there is a chain."""


def read(file: Path) -> SigningKey:
    """The key in `file`, with its certificates.

    Raises:
        SettingsError: what is wrong with the file.
    """
    try:
        content = file.read_bytes()
        key = serialization.load_pem_private_key(content, password=None)
        certificates = x509.load_pem_x509_certificates(content)
    except (OSError, ValueError, TypeError) as fault:
        message = f"EASEL_PROVENANCE_KEY_FILE={file} is no PEM file with an open private key and certificates: {fault}"
        raise SettingsError([message]) from fault
    if certificates[0].public_key() != key.public_key():
        raise SettingsError([f"EASEL_PROVENANCE_KEY_FILE={file}: its first certificate is not that of its key"])
    pem = b"".join(it.public_bytes(serialization.Encoding.PEM) for it in certificates)
    return SigningKey(_algorithm(key, file), _pem(key), pem)


def own(folder: Path) -> SigningKey:
    """The key kept in `folder`, made where there is none; of this process alone where nothing can be kept."""
    file = folder / OWN_FILE
    try:
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _keep(file, _made())
    except OSError as fault:
        log.warning("the key that signs pictures cannot be kept: it ends with this process", fault=str(fault))
        with tempfile.TemporaryDirectory() as passing:
            _keep(Path(passing) / OWN_FILE, _made())
            return read(Path(passing) / OWN_FILE)
    return read(file)


def _keep(file: Path, content: bytes) -> None:
    """Whole or not at all; of processes that start together, the first one's."""
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        os.link(part, file)
    except FileExistsError:
        return
    finally:
        Path(part).unlink()


def _algorithm(key: PrivateKeyTypes, file: Path) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return b"ps256"
    raise SettingsError([f"EASEL_PROVENANCE_KEY_FILE={file}: C2PA signs with ECDSA, Ed25519 and RSA keys only"])


def _pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _made() -> bytes:
    """A new key with its certificate. C2PA refuses self-signed ones, so a root that nobody keeps signs it."""
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    certificate = (
        _certificate("Easel picture", "Easel, made on this machine", key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(signed_by, critical=False)
        .sign(root, hashes.SHA256())
    )
    return _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _certificate(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer)).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + _YEARS)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Easel"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
