"""Pictures that clients name by an address: fetched from hosts that the operator allows, and from nowhere else.

A name is resolved once and the connection goes to the address that was checked, so that a name which changes its mind
in between (DNS rebinding) leads nowhere new; each redirect starts over.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

import httpx
import msgspec

from contracts.errors import EaselError, ErrorCode
from gateway.allowed_hosts import AllowedHosts
from gateway.resolve import Wanted

MAX_REDIRECTS = 3
MAX_PORT = 65535
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""From host and port to addresses; raises OSError."""
_FAULTS = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class WebPictures:
    """Fetches at most `max_bytes` in at most `timeout_s`, redirects included; nothing where `hosts` is empty."""

    def __init__(self, hosts: Sequence[str], max_bytes: int, timeout_s: float, *, resolve: Resolve = _resolve) -> None:
        self._allowed = AllowedHosts(hosts)
        self._any = bool(hosts)
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._tls = ssl.create_default_context() if hosts else None

    async def fetched(self, wanted: Wanted) -> Wanted:
        """With bytes where there were addresses; as it is where none may be fetched, which `resolve` then refuses.

        Raises:
            EaselError: INVALID_REQUEST, `param` being `init_image` or `mask_image`.
        """
        if not self._any:
            return wanted
        sent = {name: getattr(wanted, name) for name in ("init_image", "mask_image")}
        found = {name: await self.fetch(url, name) for name, url in sent.items() if isinstance(url, str)}
        return msgspec.structs.replace(wanted, **found) if found else wanted

    async def fetch(self, url: str, param: str) -> bytes:
        """What is at `url`.

        Raises:
            EaselError: INVALID_REQUEST.
        """
        try:
            async with asyncio.timeout(self._timeout_s), self._client() as http:
                return await self._follow(http, httpx.URL(url), param)
        except TimeoutError as fault:
            raise _refusal(param, f"the picture did not come within {self._timeout_s:g} s") from fault
        except _FAULTS as fault:
            raise _refusal(param, "the picture could not be fetched from that address") from fault

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=self._tls or True, trust_env=False, timeout=self._timeout_s)

    async def _follow(self, http: httpx.AsyncClient, url: httpx.URL, param: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            request = await self._request(http, url, param)
            answer = await http.send(request, stream=True)
            try:
                if answer.has_redirect_location:
                    url = url.join(answer.headers["location"])
                    continue
                if answer.status_code != httpx.codes.OK:
                    raise _refusal(param, f"{url.host} answered with status {answer.status_code}")
                return await self._body(answer, param)
            finally:
                await answer.aclose()
        raise _refusal(param, f"more than {MAX_REDIRECTS} redirects")

    async def _request(self, http: httpx.AsyncClient, url: httpx.URL, param: str) -> httpx.Request:
        """To the address that was checked, in the name of the host."""
        if url.scheme not in ("http", "https") or url.userinfo or not self._allowed.host(url.host):
            raise _refusal(param, f"pictures are not fetched from {url.host or url.scheme!r} here")
        port = url.port or (443 if url.scheme == "https" else 80)
        if port > MAX_PORT:
            raise _refusal(param, f"there is no port {port}")
        addresses = [ipaddress.ip_address(found) for found in await self._resolve(url.host, port)]
        address = next(filter(self._allowed.address, addresses), None)
        if address is None:
            raise _refusal(param, f"{url.host} is not a public host, and its network is not among those allowed")
        return http.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={"host": url.netloc.decode("ascii"), "accept": "image/*", "accept-encoding": "identity"},
            extensions={"sni_hostname": url.host},
        )

    async def _body(self, answer: httpx.Response, param: str) -> bytes:
        parts, size = [], 0
        async for part in answer.aiter_raw():
            size += len(part)
            if size > self._max_bytes:
                raise _refusal(param, f"the picture exceeds {self._max_bytes} bytes")
            parts.append(part)
        return b"".join(parts)


def _refusal(param: str, said: str) -> EaselError:
    return EaselError(ErrorCode.INVALID_REQUEST, said, param=param)
