"""Where a gateway offers itself, and why it cannot."""

from __future__ import annotations


def authority(host: str, port: int) -> str:
    """As in addresses on the web: IPv6 in brackets (RFC 3986), whether or not the settings have them."""
    bare = host.strip("[]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


class CannotListenError(Exception):
    """`what` cannot listen on `address`; `variable` sets the port."""

    def __init__(self, what: str, address: str, variable: str) -> None:
        why = "another program does already, or this machine does not have the address"
        super().__init__(
            f"{what} cannot listen on {address}: {why}; set {variable}, 0 for a free port, or EASEL_GATEWAY_HOST"
        )
