"""A home network in network namespaces: a device, a router that translates its addresses, and the world (us).

    device (192.168.77.2) ── router (192.168.77.1 | 10.77.x.2) ── this machine (10.77.x.1)

Needs root. The third number of the outer network is our process's own, so that tests run beside each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from typing import Self

import pytest


class NatNetwork:
    """Made on entry, gone on exit. `cut` drops all that the router would carry, without a word to either end."""

    def __init__(self) -> None:
        tag = os.getpid() % 100_000
        third = os.getpid() % 250
        self._device, self._router = f"dev{tag}", f"rtr{tag}"
        self._outer, self._inner = f"eo{tag}", f"ei{tag}"
        self.hub_address = f"10.77.{third}.1"
        self._router_address = f"10.77.{third}.2"
        self.prefix = ("ip", "netns", "exec", self._device)
        """Put before a command, it runs on the device."""

    def __enter__(self) -> Self:
        try:
            self._build()
        except (OSError, subprocess.CalledProcessError):
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # there is no `ip`: then there is nothing to undo
            for name in (self._device, self._router):
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
            subprocess.run(["ip", "link", "del", self._outer], check=False, capture_output=True)

    def _build(self) -> None:
        outer, inner, device, router = self._outer, self._inner, self._device, self._router
        for command in (
            f"ip netns add {device}",
            f"ip netns add {router}",
            f"ip link add {outer} type veth peer name wan netns {router}",
            f"ip addr add {self.hub_address}/24 dev {outer}",
            f"ip link set {outer} up",
            f"ip -n {router} addr add {self._router_address}/24 dev wan",
            f"ip -n {router} link set wan up",
            f"ip -n {router} link add {inner} type veth peer name lan netns {device}",
            f"ip -n {router} addr add 192.168.77.1/24 dev {inner}",
            f"ip -n {router} link set {inner} up",
            f"ip -n {device} addr add 192.168.77.2/24 dev lan",
            f"ip -n {device} link set lan up",
            f"ip -n {device} link set lo up",
            f"ip -n {device} route add default via 192.168.77.1",
            f"ip netns exec {router} iptables -t nat -A POSTROUTING -o wan -j MASQUERADE",
        ):
            subprocess.run(command.split(), check=True, capture_output=True)
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        subprocess.run(["ip", "netns", "exec", router, "sh", "-c", forward], check=True, capture_output=True)

    async def cut(self) -> None:
        await self._rule("-I")

    async def mend(self) -> None:
        await self._rule("-D")

    async def _rule(self, verb: str) -> None:
        command = ["ip", "netns", "exec", self._router, "iptables", verb, "FORWARD", "-j", "DROP"]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)


@pytest.fixture
def nat_network() -> Iterator[NatNetwork]:
    """Skips the test where networks cannot be made."""
    try:
        network = NatNetwork().__enter__()
    except (OSError, subprocess.CalledProcessError) as fault:
        pytest.skip(f"needs root, ip and iptables: {fault}")
    yield network
    network.__exit__()
