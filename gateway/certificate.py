"""The gateway's certificate: read once, at the start; a new one is used after a restart."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from gateway.settings import GatewaySettings


class CertificateError(Exception):
    """The certificate or its key cannot be used."""


def check_certificate(settings: GatewaySettings) -> None:
    """Have a wrong file end the start, rather than every client's handshake.

    Raises:
        CertificateError: a file is missing, is no certificate or key, or the two do not belong together.
    """
    if not settings.tls_cert:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as fault:  # ssl.SSLError is one
        said = f"EASEL_GATEWAY_TLS_CERT={settings.tls_cert} with EASEL_GATEWAY_TLS_KEY={settings.tls_key}"
        raise CertificateError(f"{said} cannot be used: {fault}") from fault


def grpc_credentials(settings: GatewaySettings) -> grpc.ServerCredentials | None:
    """The same for gRPC; None where there is none."""
    if not settings.tls_cert:
        return None
    pair = Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes()
    return grpc.ssl_server_credentials([pair])
