"""API keys: a file of hashes, and the tokens that match them.

A token is `easel_<id>_<43 url-safe characters>`, 256 random bits, so one round of SHA-256 is as good as a slow hash:
there is nothing to guess. The token is shown once, when it is made. Stands alone, for the command line to use.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import os
import re
import secrets
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from gateway.limits import NO_LIMITS, KeyLimits

log = structlog.get_logger()

_TOKEN = re.compile(r"easel_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")


class Scope(enum.StrEnum):
    """What a key may do."""

    GENERATE = "generate"
    """Have pictures drawn, and cancel its own jobs."""
    ENHANCE = "enhance"
    """Have prompts enhanced."""
    READ = "read"
    """See its own jobs, the models, the workers and the metrics."""
    ADMIN = "admin"
    """Change what everybody draws with (unload models, move workers), and see every key's usage."""


EVERY_SCOPE = tuple(Scope)
USUAL_SCOPES = (Scope.GENERATE, Scope.ENHANCE, Scope.READ)
"""What a key gets that is made without saying more."""


class KeysFileError(Exception):
    """The keys file cannot be read or written; the message says which and why."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key as it is kept."""

    id: str
    """Stands in its token, in jobs as their owner, and in logs."""
    name: str
    """Whose it is, for people."""
    sha256: str
    """Of the whole token, in hexadecimal digits."""
    created_at: float
    """Unix seconds."""
    expires_at: float = 0.0
    """Unix seconds; 0 for never."""
    scopes: tuple[Scope, ...] = USUAL_SCOPES
    limits: KeyLimits = NO_LIMITS

    @property
    def expired(self) -> bool:
        return bool(self.expires_at) and time.time() >= self.expires_at

    @property
    def expiry(self) -> str:
        """When it expires, in UTC, for people."""
        return datetime.fromtimestamp(self.expires_at, UTC).isoformat(timespec="seconds")


class _KeysFile(msgspec.Struct, frozen=True):
    keys: tuple[Key, ...] = ()


def list_keys(path: Path) -> tuple[Key, ...]:
    """The keys in a file.

    Raises:
        KeysFileError: it is not there, not readable or not a keys file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=_KeysFile).keys
    except OSError as fault:
        raise KeysFileError(f"cannot read the keys file {path}: {fault.strerror}") from fault
    except msgspec.MsgspecError as fault:
        raise KeysFileError(f"{path} is not a keys file: {fault}") from fault


def create_key(
    path: Path,
    name: str,
    scopes: Sequence[Scope] = USUAL_SCOPES,
    expires_at: float = 0.0,
    limits: KeyLimits = NO_LIMITS,
) -> str:
    """Add a key, and the file if there is none. Returns the token, which is kept nowhere.

    Raises:
        KeysFileError: the file cannot be read or written.
    """
    existing = list_keys(path) if path.exists() else ()
    key_id = secrets.token_hex(4)
    token = f"easel_{key_id}_{secrets.token_urlsafe(32)}"
    key = Key(
        id=key_id,
        name=name,
        sha256=_hash(token),
        created_at=time.time(),
        expires_at=expires_at,
        scopes=tuple(scopes),
        limits=limits,
    )
    _write(path, (*existing, key))
    return token


def change_key(path: Path, key_id: str, **changes: object) -> Key | None:
    """Replace fields of a key; running gateways notice at the next request. The key, or None where there is none.

    Raises:
        KeysFileError: the file cannot be read or written.
    """
    existing = list_keys(path)
    changed = next((msgspec.structs.replace(key, **changes) for key in existing if key.id == key_id), None)
    if changed is not None:
        _write(path, tuple(changed if key.id == key_id else key for key in existing))
    return changed


def revoke_key(path: Path, key_id: str) -> bool:
    """Remove a key; running gateways notice at the next request. Returns whether it was there.

    Raises:
        KeysFileError: the file cannot be read or written.
    """
    existing = list_keys(path)
    kept = tuple(key for key in existing if key.id != key_id)
    if len(kept) < len(existing):
        _write(path, kept)
    return len(kept) < len(existing)


class Keyring:
    """The keys of a file, read again whenever it changes.

    A file that went away or was spoiled lets nobody in until it is mended.

    Raises:
        KeysFileError: it cannot be read to begin with.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = {key.id: key for key in list_keys(path)}
        self._seen = self._version()

    def find(self, token: str) -> Key | None:
        """The key whose token this is."""
        self._refresh()
        match = _TOKEN.fullmatch(token)
        key = self._keys.get(match[1]) if match else None
        return key if key is not None and hmac.compare_digest(key.sha256, _hash(token)) else None

    def get(self, key_id: str) -> Key | None:
        """The key of this id."""
        self._refresh()
        return self._keys.get(key_id)

    def all(self) -> tuple[Key, ...]:
        """Every key."""
        self._refresh()
        return tuple(self._keys.values())

    def _refresh(self) -> None:
        version = self._version()
        if version == self._seen:
            return
        self._seen = version
        try:
            self._keys = {key.id: key for key in list_keys(self._path)}
            log.info("keys file read again", keys=len(self._keys))
        except KeysFileError as fault:
            self._keys = {}
            log.error("nobody is let in", fault=str(fault))  # noqa: TRY400  the message says all

    def _version(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    """Replace the file in one step, readable by its owner alone."""
    data = msgspec.json.format(msgspec.json.encode(_KeysFile(keys)), indent=2) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(part).replace(path)
    except OSError as fault:
        raise KeysFileError(f"cannot write the keys file {path}: {fault.strerror}") from fault
