from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.nats_server import NatsServer
from tests.support.whole_system import System, whole_system


@pytest.fixture(scope="module")
def system(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with whole_system(nats_server, tmp_path_factory.mktemp("system")) as found:
        yield found
