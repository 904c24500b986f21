"""The devices of one nats-server, in a folder beside its configuration.

`devices.json` is the list, `users.conf` what the server includes, made from it with what each may do; `gateway.nk`,
`diffusion.nk`, `enhancer.nk` and `operator.nk` are the keys of our own services, made where there are none yet.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import msgspec

from cli.faults import CliError, ExitCode
from runtime.messaging.users import SERVICES, all_permissions, make_keys, new_key, users

LIST, USERS = "devices.json", "users.conf"
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
    services: dict[str, str] = {}
    """Public keys of our own; their secret halves may have been moved to where the services are."""
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
        if name in SERVICES:
            raise CliError(ExitCode.USAGE, f"{name} is one of our own services; give the device another name")
        if name in self._held.devices:
            raise CliError(ExitCode.USAGE, f"{name} is enrolled already; 'easel edge revoke {name}' ends its key")
        self._serve(namespace)
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

    def write(self, namespace: str) -> None:
        """Let our own services in, each with the rights that this version of it needs.

        Raises:
            CliError: the folder cannot be written, or a key in it cannot be read; the devices are of another namespace.
        """
        self._serve(namespace)
        try:
            self._write()
        except (OSError, ValueError) as fault:
            raise CliError(ExitCode.USAGE, f"cannot write the users of the bus: {fault}") from fault

    def _serve(self, namespace: str) -> None:
        if self._held.devices and namespace != self._held.namespace:
            said = f"the devices here belong to the namespace {self._held.namespace!r}, not {namespace!r}"
            raise CliError(ExitCode.USAGE, said)
        self._held.namespace = namespace

    def _write(self) -> None:
        """The server's part first: a list that says more than the server knows would lie."""
        held = self._held
        missing = {name: self.folder / f"{name}.nk" for name in SERVICES if name not in held.services}
        held.services |= make_keys(missing)
        keys = held.services | {name: device.nkey for name, device in held.devices.items()}
        allowed = all_permissions(held.namespace, held.devices, clustered=True)  # which it may be, or become
        _replace(self.folder / USERS, json.dumps({"users": users(keys, allowed)}, indent=2) + "\n")
        _replace(self.folder / LIST, msgspec.json.format(msgspec.json.encode(self._held)).decode() + "\n")


def _replace(path: Path, text: str) -> None:
    """In one step, so that a server that reloads meanwhile reads the whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
