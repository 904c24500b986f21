from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chat_server import ChatServer, as_prompt
from tests.support.nats_server import NatsServer
from tests.support.whole_system import System, whole_system


@pytest.fixture(scope="module")
def system(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    with (
        ChatServer(as_prompt("a red fox in the snow, soft light")) as server,
        whole_system(nats_server, folder, language_model=server.url) as found,
    ):
        yield found
