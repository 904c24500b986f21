"""nats-server in a container, where a Docker engine answers: the version that compose.yaml runs."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Self

from tests.support.nats_server import NatsServer, configuration

DOCKERFILE = Path(__file__).parents[2] / "deploy/nats/Dockerfile"
CONFIG = "/etc/nats/easel.conf"
PORT = 4222

log = logging.getLogger(__name__)


class NatsContainer:
    """As `NatsServer`, for tests that neither kill it nor start it anew."""

    replicas = 1

    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        config = configuration(f"0.0.0.0:{PORT}", "/tmp/jetstream").encode()
        tag = re.search(r"^ARG NATS=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
        assert tag
        self._container = (
            DockerContainer(f"nats:{tag[1]}")
            .with_command(["-c", CONFIG])
            .with_copy_into_container(config, CONFIG)
            .waiting_for(LogMessageWaitStrategy("Server is ready"))
        )
        self._container.ports[f"{PORT}/tcp"] = ("127.0.0.1",)  # type: ignore[assignment]  not on every address

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._container.get_exposed_port(PORT)}"

    def start(self) -> Self:
        self._container.start()
        return self

    def kill(self) -> None:
        self._container.stop()


def start_shared_server(folder: Path) -> NatsServer | NatsContainer:
    """In a container where an engine answers that has, or can pull, its image; else as a child of this process."""
    if engine_answers():
        from docker.errors import DockerException

        try:
            return NatsContainer().start()
        except DockerException as fault:
            log.warning("nats-server runs without a container: %s", fault)
    return NatsServer(folder).start()


def engine_answers() -> bool:
    """Asked only where there is a socket, so that tests without Docker do not load its client."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not address.startswith("unix://") or not Path(address.removeprefix("unix://")).is_socket():
        return False
    import docker

    try:
        client = docker.from_env()
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except docker.errors.DockerException:
        return False
    finally:
        client.close()
