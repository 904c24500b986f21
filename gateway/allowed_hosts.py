"""Where the gateway may connect to on behalf of a client."""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class AllowedHosts:
    """Names (`*.example.com` for those below it), and networks, which alone open addresses that are not public.

    Raises:
        ValueError: an entry with `/` or `:` is no network.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self.networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self.names: list[str] = []
        for entry in entries:
            if "/" in entry or ":" in entry or _literal(entry) is not None:
                self.networks.append(ipaddress.ip_network(entry, strict=False))
            else:
                self.names.append(entry.lower())

    def host(self, host: str) -> bool:
        """Whether a URL may name it."""
        address = _literal(host)
        if address is not None:
            return self._listed(address)
        return any(fnmatch.fnmatchcase(host.lower().rstrip("."), name) for name in self.names)

    def address(self, address: Address) -> bool:
        """Whether a connection may go there."""
        return self._listed(address) or _is_public(address)

    def _listed(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    """An IPv6 address that stands for an IPv4 one is as public as that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _NAT64):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast
