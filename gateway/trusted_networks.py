"""Networks whose machines may ask without a key."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",  # RFC 1918
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",  # RFC 6598, overlay networks use it
            "169.254.0.0/16",  # link-local
            "127.0.0.0/8",
            "fc00::/7",  # RFC 4193
            "fe80::/10",
            "::1/128",
        ),
    )
)
_WIDEST_PUBLIC = {4: 24, 6: 48}
"""Prefix by IP version: one site's addresses."""


class TrustedNetworks:
    """Networks as an operator writes them: addresses, and CIDRs such as `192.168.1.0/24`.

    Raises:
        ValueError: an entry is no network, or one that strangers are in.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._networks = tuple(map(_network, entries))

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _network(entry: str) -> Network:
    network = ipaddress.ip_network(entry)
    private = any(network.version == wide.version and network.subnet_of(wide) for wide in _PRIVATE)  # type: ignore[arg-type]
    if not private and network.prefixlen < _WIDEST_PUBLIC[network.version]:
        raise ValueError(
            f"{entry} reaches far beyond one site, so strangers are in it; name private networks (192.168.0.0/16), or "
            f"public ones of /{_WIDEST_PUBLIC[network.version]} at most, and let others use keys"
        )
    return network


@functools.lru_cache
def address_of(peer: str) -> Address | None:
    """The address of a socket's other end, an IPv4 one as such where it came over IPv6; None where there is none."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
