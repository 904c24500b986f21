"""What GetStatus and the health service say."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.errors import EaselError
from contracts.workers import WorkerPresence
from gateway.rpc import text2image_pb2 as pb
from gateway.service import Service


def is_serving(service: Service) -> bool:
    """Whether a request made now could be taken."""
    try:
        return bool(service.models())
    except EaselError:
        return False


async def status_response(service: Service) -> pb.StatusResponse:
    """The live workers, their models and the queue; says what is missing instead of failing.

    Raises:
        EaselError: UNAVAILABLE without a bus.
    """
    workers = [worker for worker in service.workers() if worker.models]
    models = service.models()
    depths = await service.depths()
    waiting = sum(depth.waiting for depth in depths.values())
    running = sum(depth.running for depth in depths.values())
    ready = "ready" if workers else "no worker is connected"
    version = next((f"{model.id} ({model.source})" for model, _ in models.values()), "")
    loras = {model.id: model.loras for model, _ in models.values() if model.loras}
    facts = {
        "status_code": 200 if workers else 503,
        "status": ready,
        "model_version": version,
        "models": sorted(models),
        "loras": loras,
        "jobs_waiting": waiting,
        "jobs_running": running,
        "workers": [_facts(worker) for worker in workers],
    }
    return pb.StatusResponse(
        status_code=200 if workers else 503,
        status=ready,
        model_version=version,
        models=sorted(models),
        workers=[pb.Worker(**_facts(worker)) for worker in workers],
        jobs_waiting=waiting,
        jobs_running=running,
        loras=[pb.ModelLoras(model=name, names=loras[name]) for name in loras],
        status_json=msgspec.json.encode(facts).decode(),
    )


def _facts(worker: WorkerPresence) -> dict[str, Any]:
    return {
        "id": worker.id,
        "device": worker.device,
        "slots": worker.slots,
        "free_slots": worker.free_slots,
        "memory_bytes": worker.memory_bytes,
    }
