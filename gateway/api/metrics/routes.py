"""`/metrics`, for whoever may ask the gateway anything."""

from __future__ import annotations

import structlog
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from contracts.errors import EaselError
from gateway.lifespan import BusLink
from gateway.metrics import exposition
from gateway.replies import Answer
from runtime.messaging.bus_state import BusState, read_state
from runtime.messaging.connection import BusError

log = structlog.get_logger()


@get(
    "/metrics",
    summary="Metrics in Prometheus' text format: requests, queues, workers, the bus",
    tags=["Health"],
    operation_id="metrics",
    responses={200: ResponseSpec(str, description="The metrics", media_type="text/plain")},
)
async def metrics(link: NamedDependency[BusLink]) -> Answer:
    workers = link.backend.roster.workers() if link.connected else ()
    text = exposition(await _state(link), workers)
    return Response(text, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


async def _state(link: BusLink) -> BusState | None:
    """None while the bus is away: that is a measurement, not a failure."""
    if not link.connected:
        return None
    try:
        return await read_state(link.backend.bus)
    except (EaselError, BusError) as fault:
        log.warning("the bus does not tell how full it is", fault=str(fault))
        return None


HANDLERS = (metrics,)
