"""Authorities and certificates, made in the test."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import trustme


class Certificates(NamedTuple):
    """Files: an authority, a server's certificate and key signed by it, and one of a client."""

    ca: Path
    cert: Path
    key: Path
    client_cert: Path
    client_key: Path


def make_certificates(folder: Path, *names: str) -> Certificates:
    """For `names`, or for this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(*(folder / f"{name}.pem" for name in Certificates._fields))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made.ca))
    for names_of, cert, key in (
        (names or ("localhost", "127.0.0.1"), made.cert, made.key),
        (("client.example.org",), made.client_cert, made.client_key),
    ):
        issued = authority.issue_cert(*names_of)
        issued.cert_chain_pems[0].write_to_path(str(cert))
        issued.private_key_pem.write_to_path(str(key))
    return made
