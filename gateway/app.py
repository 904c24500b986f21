"""The Litestar application: routes, failures, dependencies; nothing else."""

from __future__ import annotations

import asyncio
import importlib.metadata

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from gateway import tracing
from gateway.api import dialects, generations, pages
from gateway.api.chat import routes as chat
from gateway.api.health import routes as health
from gateway.api.jobs import routes as jobs
from gateway.api.mcp import routes as mcp
from gateway.api.metrics import routes as metrics
from gateway.api.models import routes as models
from gateway.api.openai import routes as openai
from gateway.api.page import routes as page
from gateway.api.pipeline import routes as pipeline
from gateway.api.prompt_assist import routes as prompt_assist
from gateway.api.sdapi import routes as sdapi
from gateway.api.usage import routes as usage
from gateway.auth import make_guard
from gateway.lifespan import BusLink
from gateway.observe import on_send
from gateway.service import Service
from gateway.settings import GatewaySettings


def create_app(
    settings: GatewaySettings, link: BusLink, service: Service, draining: asyncio.Event | None = None
) -> Litestar:
    """HTTP in front of `service`. Whoever opened `link` closes it; without it the health routes still answer.

    `draining` says that the process is about to end: it is not ready any more, and event streams break off.
    """
    ending = draining or asyncio.Event()
    return Litestar(
        route_handlers=[
            *generations.HANDLERS,
            *openai.HANDLERS,
            *prompt_assist.HANDLERS,
            *chat.HANDLERS,
            *jobs.HANDLERS,
            *sdapi.HANDLERS,
            *pipeline.HANDLERS,
            *models.HANDLERS,
            *mcp.handlers(service, settings),
            *health.HANDLERS,
            *metrics.HANDLERS,
            *usage.HANDLERS,
            *pages.HANDLERS,
            *page.HANDLERS,
        ],
        dependencies={
            "service": Provide(lambda: service, sync_to_thread=False),
            "draining": Provide(lambda: ending, sync_to_thread=False),
            "link": Provide(lambda: link, sync_to_thread=False),
        },
        guards=[make_guard(service.access, settings)],
        exception_handlers={Exception: dialects.answer_failure},
        before_send=[on_send],
        plugins=tracing.plugins(),
        request_max_body_size=settings.max_body_bytes,
        openapi_config=OpenAPIConfig(
            title="Easel",
            version=importlib.metadata.version("easel"),
            description="Text to pictures: OpenAI's image API and the job routes.",
            openapi_router=pages.router(),
            render_plugins=pages.RENDERERS,
        ),
        logging_config=None,
        debug=False,
    )
