"""A key to the bus of one machine for each process of it, new at each start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from contracts.subjects import Subjects, subject_token
from runtime.messaging import permissions
from runtime.messaging.permissions import Permissions
from runtime.messaging.users import ENHANCER, GATEWAY, OPERATOR, make_keys, users


def make_users(folder: Path, names: Iterable[str], namespace: str) -> list[dict[str, Any]]:
    """nats-server's `users` for these processes and for whoever looks after them.

    Their new keys are in `folder`, readable for its owner alone; those of earlier starts are gone.
    """
    for old in folder.glob("*.nk"):
        old.unlink()
    subjects = Subjects(namespace)
    allowed = {name: _permissions(subjects, name) for name in (*names, OPERATOR)}
    return users(make_keys({name: key_file(folder, name) for name in allowed}), allowed)


def key_file(folder: Path, name: str) -> Path:
    """Where the secret of a process is."""
    return folder / f"{name}.nk"


def _permissions(subjects: Subjects, name: str) -> Permissions:
    """Of the process `name`; all else is denied."""
    if name == GATEWAY:
        return permissions.gateway_permissions(subjects)
    if name == OPERATOR:
        return permissions.operator_permissions(subjects, name)
    if name.startswith(ENHANCER):
        return permissions.enhancer_permissions(subjects, name, subject_token(name))
    return permissions.diffusion_permissions(subjects, name, subject_token(name))
