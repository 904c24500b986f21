"""`python -m gateway`: settings, logs, serve until signalled."""

from __future__ import annotations

import asyncio
import os
import sys

import structlog
import uvloop

from gateway.app import create_app
from gateway.certificate import CertificateError, check_certificate
from gateway.keys import KeysFileError
from gateway.lifespan import BusLink
from gateway.listening import CannotListenError
from gateway.rpc.server import serving
from gateway.server import serve_http
from gateway.service import Service
from gateway.settings import GatewaySettings, is_loopback
from runtime.messaging.settings import BusSettings
from runtime.process import logging, telemetry
from runtime.process.memory import keep_buffers
from runtime.process.safety import PromptBlocklist, SafetySettings
from runtime.process.settings import SettingsError, load
from runtime.process.shutdown import Shutdown
from runtime.process.telemetry import TelemetrySettings

log = structlog.get_logger()


async def serve(settings: GatewaySettings, bus_settings: BusSettings, blocklist: PromptBlocklist) -> bool:
    """Run the gateway until a signal; whether HTTP ever listened."""
    link = BusLink(bus_settings)
    service = Service(link, settings, blocklist)
    shutdown = Shutdown(settings.soft_stop_s)
    shutdown.install()
    app = create_app(settings, link, service, shutdown.soft)
    async with link.open(), serving(service, settings):
        return await serve_http(app, settings, shutdown)


def main() -> int:
    """Exit status 0 after a signal, 1 when it could not listen, 2 when a setting is wrong."""
    logging.configure("gateway")
    keep_buffers()
    try:
        settings, bus_settings = load(GatewaySettings, os.environ), load(BusSettings, os.environ)
        check_certificate(settings)
        if not settings.tls_cert and not is_loopback(settings.host):
            log.warning("keys and pictures go in the clear: set EASEL_GATEWAY_TLS_CERT, or put a proxy with TLS before")
        blocklist = PromptBlocklist.read(load(SafetySettings, os.environ).prompt_blocklist)
        telemetry.configure("gateway", load(TelemetrySettings, os.environ))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return 0 if runner.run(serve(settings, bus_settings, blocklist)) else 1
    except (SettingsError, KeysFileError, CertificateError, CannotListenError) as fault:
        log.error("cannot start", fault=str(fault))  # noqa: TRY400  the message says all
        return 1 if isinstance(fault, CannotListenError) else 2
    finally:
        telemetry.flush()


if __name__ == "__main__":
    sys.exit(main())
