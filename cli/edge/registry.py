"""The devices of one nats-server, in a folder beside its configuration.

`devices.json` is the list, `users.conf` what the server includes, made from it; `core.nk` is the key of the gateways
and workers that are our own, made with the first device.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import msgspec

from cli.edge.permissions import device_permissions
from cli.faults import CliError, ExitCode

LIST, USERS, CORE = "devices.json", "users.conf", "core.nk"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One that may join."""

    nkey: str
    """Its public key; the secret half is on the device alone."""
    enrolled_at: float
    """Unix seconds."""


class Devices(msgspec.Struct, kw_only=True):
    """What `devices.json` holds."""

    namespace: str = "easel"
    core: str = ""
    """Public key of our own services, which may do everything."""
    devices: dict[str, Device] = {}


class Registry:
    """One folder.

    Raises:
        CliError: its list cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._held = msgspec.json.decode((folder / LIST).read_bytes(), type=Devices)
        except FileNotFoundError:
            self._held = Devices()
        except (OSError, msgspec.MsgspecError) as fault:
            raise CliError(ExitCode.USAGE, f"{folder / LIST} cannot be read: {fault}") from fault

    @property
    def namespace(self) -> str:
        """First word of every subject."""
        return self._held.namespace

    def names(self) -> list[str]:
        """Of the devices that may join."""
        return sorted(self._held.devices)

    def enroll(self, name: str, namespace: str) -> str:
        """Let a device join; its secret, which is kept nowhere here.

        Raises:
            CliError: a name that cannot stand in a subject, or one that is there.
        """
        if not _NAME.fullmatch(name):
            said = f"{name!r} is no name for a device: 1 to 40 lower-case letters, digits, '-' or '_'"
            raise CliError(ExitCode.USAGE, said)
        if name in self._held.devices:
            raise CliError(ExitCode.USAGE, f"{name} is enrolled already; 'easel edge revoke {name}' ends its key")
        if self._held.devices and namespace != self._held.namespace:
            said = f"the devices here belong to the namespace {self._held.namespace!r}, not {namespace!r}"
            raise CliError(ExitCode.USAGE, said)
        self._held.namespace = namespace
        if not self._held.core:
            self.folder.mkdir(parents=True, exist_ok=True)
            secret, self._held.core = new_key()
            write_secret(self.folder / CORE, secret)
        secret, public = new_key()
        self._held.devices[name] = Device(nkey=public, enrolled_at=time.time())
        self._write()
        return secret

    def revoke(self, name: str) -> None:
        """Let a device join no more.

        Raises:
            CliError: there is no such device.
        """
        if name not in self._held.devices:
            have = ", ".join(self.names()) or "none"
            raise CliError(ExitCode.USAGE, f"there is no device {name!r} in {self.folder / LIST}; there are: {have}")
        del self._held.devices[name]
        self._write()

    def _write(self) -> None:
        """The server's part first: a list that says more than the server knows would lie."""
        users: list[dict[str, Any]] = [{"nkey": self._held.core}]
        for name in self.names():
            permissions = device_permissions(name, self._held.namespace)
            users.append({"nkey": self._held.devices[name].nkey, "permissions": permissions})
        _replace(self.folder / USERS, json.dumps({"users": users}, indent=2) + "\n")
        _replace(self.folder / LIST, msgspec.json.format(msgspec.json.encode(self._held)).decode() + "\n")


def new_key() -> tuple[str, str]:
    """A new NKey of a user: secret seed and public key."""
    import nkeys

    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode(), nkeys.from_seed(seed).public_key.decode()


def write_secret(path: Path, text: str) -> None:
    """For its owner alone, from the first byte."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(f"{text}\n", encoding="ascii")


def _replace(path: Path, text: str) -> None:
    """In one step, so that a server that reloads meanwhile reads the whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
