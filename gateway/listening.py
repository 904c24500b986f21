"""Why a gateway cannot offer itself where its settings say."""

from __future__ import annotations


class CannotListenError(Exception):
    """`what` cannot listen on `address`; `variable` sets the port."""

    def __init__(self, what: str, address: str, variable: str) -> None:
        why = "another program does already, or this machine does not have the address"
        super().__init__(
            f"{what} cannot listen on {address}: {why}; set {variable}, 0 for a free port, or EASEL_GATEWAY_HOST"
        )
