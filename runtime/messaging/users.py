"""The users of one bus: our own services by name, the devices beside them, and their keys (NKeys).

`gateway`, `diffusion` and `enhancer` are each one user for all of its processes; `operator` looks and changes nothing,
for people and exporters. A device is one user with one worker and one pool.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from contracts.subjects import Subjects
from runtime.messaging import permissions
from runtime.messaging.permissions import Permissions

GATEWAY, DIFFUSION, ENHANCER, OPERATOR = SERVICES = ("gateway", "diffusion", "enhancer", "operator")


def all_permissions(namespace: str, devices: Iterable[str] = (), *, clustered: bool = False) -> dict[str, Permissions]:
    """What each of our services and each device may do, by name; nobody takes a device's jobs but the device."""
    subjects, devices = Subjects(namespace), sorted(devices)
    return {
        GATEWAY: permissions.gateway_permissions(subjects, clustered=clustered),
        DIFFUSION: permissions.diffusion_permissions(subjects, DIFFUSION, other_pools=devices),
        ENHANCER: permissions.enhancer_permissions(subjects, ENHANCER),
        OPERATOR: permissions.operator_permissions(subjects, OPERATOR, clustered=clustered),
    } | {name: permissions.device_permissions(subjects, name) for name in devices}


def users(keys: Mapping[str, str], allowed: Mapping[str, Permissions]) -> list[dict[str, Any]]:
    """nats-server's `users`: a public key and permissions for each name in `allowed`."""
    return [{"nkey": keys[name], "permissions": permissions} for name, permissions in allowed.items()]


def users_file(namespace: str, devices: Iterable[str] = (), *, clustered: bool = False) -> str:
    """The same as nats-server's configuration, with a variable for each public key: `keys_file` defines them."""
    written = [
        f"  {{\n    nkey: ${_variable(name)}\n    permissions: {_indented(allowed)}\n  }}\n"
        for name, allowed in all_permissions(namespace, devices, clustered=clustered).items()
    ]
    return 'include "keys/keys.conf"\nusers: [\n' + "".join(written) + "]\n"


def keys_file(keys: Mapping[str, str]) -> str:
    """The public keys as variables of nats-server's configuration."""
    return "".join(f"{_variable(name)}: {key}\n" for name, key in keys.items())


def make_keys(files: Mapping[str, Path]) -> dict[str, str]:
    """The public key of each name; its secret half is in its file, made where there is none yet.

    Raises:
        OSError, ValueError: a file cannot be read or written, or holds no key.
    """
    return {name: _public(path) if path.exists() else _made(path) for name, path in files.items()}


def new_key() -> tuple[str, str]:
    """A new NKey of a user: secret seed and public key."""
    import nkeys  # noqa: PLC0415  its 20 ms are not for every command of `easel`

    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode(), nkeys.from_seed(seed).public_key.decode()


def write_secret(path: Path, text: str) -> None:
    """For its owner alone, from the first byte."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(f"{text}\n", encoding="ascii")


def _made(path: Path) -> str:
    secret, public = new_key()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_secret(path, secret)
    return public


def _public(path: Path) -> str:
    import nkeys  # noqa: PLC0415  as above

    try:
        public: bytes = nkeys.from_seed(path.read_bytes().strip()).public_key
    except nkeys.NkeysError as fault:  # no ValueError of its own
        raise ValueError(f"{path} holds no NKey: remove it, and a new one is made") from fault
    return public.decode()


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _indented(value: Permissions) -> str:
    return json.dumps(value, indent=2).replace("\n", "\n    ")
