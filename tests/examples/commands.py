"""Commands as a document prints them, run in a shell against a gateway on another port."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from asyncio.subprocess import PIPE
from typing import Any, NamedTuple

from PIL import Image

_ADDRESS = re.compile(r"http://localhost:\d+")


class Answer(NamedTuple):
    """What curl received."""

    status: int
    content_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def curl(command: str, url: str) -> Answer:
    """Run one curl command, its `http://localhost:<port>` being `url`."""
    with_headers = 'curl() { command curl --silent --show-error --include "$@"; }\n' + _ADDRESS.sub(url, command)
    process = await asyncio.create_subprocess_exec(*("bash", "-eu"), stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, said = await process.communicate(with_headers.encode())
    assert process.returncode == 0, said.decode()
    head, _, body = out.partition(b"\r\n\r\n")
    while b" 100 " in head.splitlines()[0]:
        head, _, body = body.partition(b"\r\n\r\n")
    kind = re.search(rb"(?im)^content-type: ([^\r;]+)", head)
    return Answer(int(head.split()[1]), kind[1].decode() if kind else "", body)


def holds(reply: Any, documented: Any) -> bool:
    """Whether `reply` has every field of `documented`, with a value of the same JSON type."""
    if isinstance(documented, dict):
        return isinstance(reply, dict) and all(
            name in reply and holds(reply[name], documented[name]) for name in documented
        )
    if isinstance(documented, list):
        return isinstance(reply, list) and bool(reply) and all(holds(it, documented[0]) for it in reply)
    return type(reply) is type(documented)


def picture(text: str) -> Image.Image:
    """The PNG in bare base64."""
    found = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
    assert found.format == "PNG"
    return found
