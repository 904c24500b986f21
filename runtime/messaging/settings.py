"""How a process finds the bus, and the limits of what the bus keeps."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class BusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every process of one installation, except for the credentials.

    Raises:
        ValueError: an authority or a certificate is given for an address without TLS, or one half of a certificate.
    """

    url: Annotated[
        str, Meta(description="NATS servers, comma-separated.", extra={"env": ("EASEL_NATS_URL", "NATS_URL")})
    ] = "nats://127.0.0.1:4222"
    credentials: Annotated[
        str, Meta(description="Path of a NATS credentials file.", extra={"env": ("EASEL_NATS_CREDENTIALS",)})
    ] = ""
    nkey: Annotated[
        str,
        Meta(
            description="Path of a file with an NKey seed, as `easel edge enroll` makes for devices.",
            extra={"env": ("EASEL_NATS_NKEY",)},
        ),
    ] = ""
    ca: Annotated[
        str,
        Meta(
            description="Path of the certificates that sign the server's, for tls:// with an authority of your own.",
            extra={"env": ("EASEL_NATS_CA",)},
        ),
    ] = ""
    certificate: Annotated[
        str,
        Meta(
            description="Path of a certificate of our own, for a server that asks for one.",
            extra={"env": ("EASEL_NATS_CERT",)},
        ),
    ] = ""
    certificate_key: Annotated[
        str,
        Meta(description="Path of that certificate's private key.", extra={"env": ("EASEL_NATS_CERT_KEY",)}),
    ] = ""
    user: Annotated[
        str,
        Meta(
            pattern="^([A-Za-z0-9_-]{1,64})?$",
            description="Name of the user whose key this worker has, where gateways alone declare streams and pools: "
            "`diffusion` and `enhancer` in deploy/. Empty: it declares them itself.",
            extra={"env": ("EASEL_NATS_USER",)},
        ),
    ] = ""
    restricted: Annotated[
        bool,
        Meta(
            description="These credentials reach this worker's own pool and nothing else, as `easel edge enroll` makes "
            "them: gateways declare the pool.",
            extra={"env": ("EASEL_NATS_RESTRICTED",)},
        ),
    ] = False
    namespace: Annotated[
        str,
        Meta(description="First word of every subject, stream and bucket name.", extra={"env": ("EASEL_NAMESPACE",)}),
    ] = "easel"
    replicas: Annotated[
        int,
        Meta(ge=1, le=5, description="Copies of each stream in a cluster.", extra={"env": ("EASEL_NATS_REPLICAS",)}),
    ] = 1
    ack_wait_s: Annotated[
        float,
        Meta(
            ge=0.5,
            description="Seconds of silence after which a worker's job goes to another.",
            extra={"env": ("EASEL_NATS_ACK_WAIT_S",)},
        ),
    ] = 30.0
    max_deliver: Annotated[
        int,
        Meta(
            ge=1,
            le=999,
            description="Workers that may die on a job, or hand it back, before it fails.",
            extra={"env": ("EASEL_NATS_MAX_DELIVER",)},
        ),
    ] = 5
    max_jobs: Annotated[
        int,
        Meta(
            ge=1,
            description="Jobs of all pools that the bus holds at most, waiting or running.",
            extra={"env": ("EASEL_NATS_MAX_JOBS",)},
        ),
    ] = 10_000
    outcome_ttl_s: Annotated[
        int,
        Meta(
            ge=60,
            description="Seconds that an ended job can be looked up.",
            extra={"env": ("EASEL_NATS_OUTCOME_TTL_S",)},
        ),
    ] = 7 * 24 * 3600
    image_ttl_s: Annotated[
        int,
        Meta(ge=60, description="Seconds that pictures are kept.", extra={"env": ("EASEL_NATS_IMAGE_TTL_S",)}),
    ] = 24 * 3600
    image_bytes: Annotated[
        int,
        Meta(
            ge=1 << 20,
            description="Bytes of pictures kept; the oldest leave first.",
            extra={"env": ("EASEL_NATS_IMAGE_BYTES",)},
        ),
    ] = 4 << 30

    def __post_init__(self) -> None:
        schemes = {address.split("://", 1)[0] for address in self.url.split(",") if "://" in address}
        if (self.ca or self.certificate) and schemes != {"tls"}:
            raise ValueError(
                f"EASEL_NATS_URL={self.url} must begin with tls:// where EASEL_NATS_CA or EASEL_NATS_CERT is set, so "
                "that nobody can have us speak in the clear"
            )
        if bool(self.certificate) != bool(self.certificate_key):
            raise ValueError("EASEL_NATS_CERT and EASEL_NATS_CERT_KEY need each other")

    @property
    def declares(self) -> bool:
        """Whether this process declares streams and pools, rather than wait for a gateway to do it."""
        return not (self.user or self.restricted)
