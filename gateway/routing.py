"""Which worker a request is for: by model, device, size, and who is free first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from contracts import step_cache
from contracts.capability import can_draw, check
from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, ModelInfo
from contracts.workers import WorkerPresence
from gateway.devices import on_device
from gateway.loras import find_loras
from gateway.resolve import Resolved, Wanted, choose_model, resolve
from gateway.settings import GatewaySettings

Waiting = Callable[[str], int]
"""Pool to the number of jobs that wait in it."""


class Route(NamedTuple):
    """A request resolved, and the pool to queue it in."""

    resolved: Resolved
    pool: str


def offered_models(workers: Iterable[WorkerPresence]) -> dict[str, tuple[ModelInfo, WorkerPresence]]:
    """Every model that one of the workers offers, by id, with the first that does; LoRAs and caches of all of them."""
    found: dict[str, tuple[ModelInfo, WorkerPresence]] = {}
    for worker in workers:
        for model in worker.models:
            first, offers = found.setdefault(model.id, (model, worker))
            if (first.loras, first.caches) != (model.loras, model.caches):
                loras = tuple(sorted({*first.loras, *model.loras}))
                caches = tuple(dict.fromkeys((*first.caches, *model.caches)))
                found[model.id] = (msgspec.structs.replace(first, loras=loras, caches=caches), offers)
    return found


def route(wanted: Wanted, workers: Sequence[WorkerPresence], settings: GatewaySettings, waiting: Waiting) -> Route:
    """Resolve what is wanted for the workers that can draw it, and choose among them.

    One model may be offered by a large machine and by a small device: the request goes to one that draws it as asked,
    and is rounded only where none does.

    Raises:
        EaselError: as `choose_model`, `find_loras` and `step_cache.chosen`; UNSUPPORTED where those that can draw it
            share a pool with one that cannot; as `resolve` for the first worker's model when none can.
    """
    name, among = at_device(wanted.model, named_device(wanted.device, workers))
    chosen = choose_model(name, [model for model, _ in offered_models(among).values()], settings)
    find_loras(wanted.loras, chosen)
    step_cache.chosen(wanted.cache or "", chosen.caches)
    kinds = {model: None for worker in among for model in worker.models if model.id == chosen.id}
    routes, refusals, mixed = list[tuple[bool, int, Route]](), list[EaselError](), list[EaselError]()
    for model in kinds:
        try:
            resolved = resolve(wanted, model, settings)
        except EaselError as refusal:
            refusals.append(refusal)
        else:
            pool = choose_pool(resolved.request, workers, waiting, among)
            if pool is None:
                mixed += refusals_of_mixed_pools(resolved.request, workers, among)
            else:
                as_asked = _as_asked(wanted, resolved.request)
                routes.append((as_asked, _room(pool, workers, waiting), Route(resolved, pool)))
    if not routes:
        raise [*mixed, *refusals][0]
    return max(routes, key=lambda it: it[:2])[2]


def choose_pool(
    request: GenerateImage,
    workers: Iterable[WorkerPresence],
    waiting: Waiting,
    among: Iterable[WorkerPresence] | None = None,
) -> str | None:
    """The pool where the request is likely to start first, of those that `among` are in; None when none can draw it.

    Any worker of a pool may take its jobs, so a pool can what all its workers can.
    """
    workers = list(workers)
    unable = {worker.pool for worker in workers if not _draws(worker, request)}
    pools = {worker.pool for worker in (workers if among is None else among)} - unable
    return max(sorted(pools), key=lambda pool: _room(pool, workers, waiting)) if pools else None


def refusals_of_mixed_pools(
    request: GenerateImage, workers: Iterable[WorkerPresence], among: Iterable[WorkerPresence]
) -> list[EaselError]:
    """Why the workers of `among` that can draw the request do not get it."""
    pools = {worker.pool for worker in among if _draws(worker, request)}
    found = []
    for worker in workers:
        if worker.pool in pools and not _draws(worker, request):
            lack = _lack(worker, request)
            said = f"the workers that draw this share the pool {worker.pool} with {worker.id}, which does not"
            message = f"{said} ({lack.message}); give them one of their own (EASEL_WORKER_POOL)"
            found.append(EaselError(ErrorCode.UNSUPPORTED, message, param=lack.param))
    return found


def _draws(worker: WorkerPresence, request: GenerateImage) -> bool:
    return any(can_draw(model, request) for model in worker.models)


def _lack(worker: WorkerPresence, request: GenerateImage) -> EaselError:
    try:
        for model in sorted(worker.models, key=lambda model: model.id != request.model):
            check(model, request)
    except EaselError as lack:
        return lack
    return EaselError(ErrorCode.UNSUPPORTED, f"no model {request.model!r}", param="model")


def named_device(device: str | None, workers: Sequence[WorkerPresence]) -> Sequence[WorkerPresence]:
    """The workers that a device's name means: its own, as `easel workers` lists it, or a kind of device.

    Raises:
        EaselError: UNSUPPORTED, with the devices that there are.
    """
    if not device:
        return workers
    return [worker for worker in workers if worker.id == device and worker.models] or on_device(workers, device)


def at_device(name: str | None, workers: Sequence[WorkerPresence]) -> tuple[str | None, Sequence[WorkerPresence]]:
    """`model@device` and `@device` taken apart: the model's name, and the workers that are meant.

    A hub id with a revision (`owner/name@revision`) stays whole.

    Raises:
        EaselError: MODEL_NOT_FOUND, no such device, with those that there are.
    """
    model, at, device = (name or "").rpartition("@")
    if not at or any(name in (it.id, it.source) for worker in workers for it in worker.models):
        return name, workers
    drawing = [worker for worker in workers if worker.models]
    found = [worker for worker in drawing if worker.id == device]
    if not found:
        have = ", ".join(worker.id for worker in drawing) or "none"
        message = f"no device {device!r} is connected; there are: {have}"
        raise EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model")
    return model or found[0].models[0].id, found


def _room(pool: str, workers: Iterable[WorkerPresence], waiting: Waiting) -> int:
    """Free slots of a pool less the jobs that wait for them."""
    free: Counter[str] = Counter()
    for worker in workers:
        free[worker.pool] += worker.free_slots
    return free[pool] - waiting(pool)


def _as_asked(wanted: Wanted, request: GenerateImage) -> bool:
    """Whether the size is the one asked for, if one was."""
    return (wanted.width or request.width, wanted.height or request.height) == (request.width, request.height)
