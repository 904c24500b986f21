"""What an operator sets for the gateway. A struct that exists is consistent: no open door without keys."""

from __future__ import annotations

import functools
import ipaddress
from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.images import MAX_PROMPT_CHARACTERS
from contracts.prompts import ENHANCER_TIMEOUT_S
from gateway.allowed_hosts import AllowedHosts
from gateway.trusted_networks import TrustedNetworks


@functools.lru_cache
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; an unknown name counts as open."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read once, in `__main__`.

    Raises:
        ValueError: the address can be reached from outside and anybody might ask; networks that are none; half a
            certificate.
    """

    host: Annotated[
        str,
        Meta(
            description="Address to listen on; other than loopback needs a keys file or trusted networks.",
            extra={"env": ("EASEL_GATEWAY_HOST", "IMAGE_GEN_HOST")},
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="Port to listen on; 0 for a free one.",
            extra={"env": ("EASEL_GATEWAY_PORT", "IMAGE_GEN_PORT")},
        ),
    ] = 8000
    grpc_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="Port of the gRPC service, on the same address; 0 for a free one.",
            extra={"env": ("EASEL_GATEWAY_GRPC_PORT",)},
        ),
    ] = 50051
    keys_file: Annotated[
        str,
        Meta(
            description="File of API keys, made by `easel keys create`. Empty: nobody is asked for a key.",
            extra={"env": ("EASEL_GATEWAY_KEYS_FILE",)},
        ),
    ] = ""
    trusted_networks: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$")], ...],
        Meta(
            description="Networks whose machines may ask without a key, as CIDRs (`192.168.1.0/24`); by the address "
            "that connects, never by a header. Empty: this machine alone, and with a keys file nobody.",
            extra={"env": ("EASEL_GATEWAY_TRUSTED_NETWORKS",)},
        ),
    ] = ()
    tls_cert: Annotated[
        str,
        Meta(
            description="Path of the certificate, with its chain, for HTTPS and for gRPC. Empty: both in the clear.",
            extra={"env": ("EASEL_GATEWAY_TLS_CERT",)},
        ),
    ] = ""
    tls_key: Annotated[
        str,
        Meta(description="Path of the certificate's private key.", extra={"env": ("EASEL_GATEWAY_TLS_KEY",)}),
    ] = ""
    public_url: Annotated[
        str,
        Meta(
            description="Address under which clients reach the gateway, for links in answers. Empty: as they asked.",
            pattern="^(https?://[^/?#]+[^?#]*)?$",
            extra={"env": ("EASEL_GATEWAY_PUBLIC_URL",)},
        ),
    ] = ""
    max_queue_size: Annotated[
        int,
        Meta(
            ge=1,
            description="Jobs that may wait for the workers of one pool; more are refused.",
            extra={"env": ("EASEL_GATEWAY_MAX_QUEUE_SIZE", "IMAGE_GEN_MAX_QUEUE_SIZE")},
        ),
    ] = 20
    default_model: Annotated[
        str,
        Meta(
            description="Model for requests that name none, if a worker offers it. Empty: the first offered.",
            extra={"env": ("EASEL_GATEWAY_DEFAULT_MODEL", "IMAGE_GEN_MODEL")},
        ),
    ] = ""
    model_aliases: Annotated[
        bool,
        Meta(
            description="Take OpenAI's model names (gpt-image-*, dall-e-*) to mean the default model.",
            extra={"env": ("EASEL_GATEWAY_MODEL_ALIASES",)},
        ),
    ] = True
    default_width: Annotated[
        int | None,
        Meta(
            description="Pixels, where a request has none. Unset: the model's own.",
            extra={"env": ("EASEL_GATEWAY_DEFAULT_WIDTH", "IMAGE_GEN_DEFAULT_WIDTH")},
        ),
    ] = None
    default_height: Annotated[
        int | None,
        Meta(
            description="Pixels, where a request has none. Unset: the model's own.",
            extra={"env": ("EASEL_GATEWAY_DEFAULT_HEIGHT", "IMAGE_GEN_DEFAULT_HEIGHT")},
        ),
    ] = None
    default_steps: Annotated[
        int | None,
        Meta(
            description="Denoising steps, where a request has none; kept within the model's limits. Unset: its own.",
            extra={"env": ("EASEL_GATEWAY_DEFAULT_STEPS", "IMAGE_GEN_INFERENCE_STEPS")},
        ),
    ] = None
    default_guidance_scale: Annotated[
        float | None,
        Meta(
            description="Guidance, where a request has none; kept within the model's limits. Unset: its own.",
            extra={"env": ("EASEL_GATEWAY_DEFAULT_GUIDANCE_SCALE", "IMAGE_GEN_GUIDANCE_SCALE")},
        ),
    ] = None
    max_body_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            description="Largest JSON request body without pictures.",
            extra={"env": ("EASEL_GATEWAY_MAX_BODY_BYTES",)},
        ),
    ] = 64 << 10
    max_upload_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            description="Largest request body with pictures to start from.",
            extra={"env": ("EASEL_GATEWAY_MAX_UPLOAD_BYTES",)},
        ),
    ] = 32 << 20
    image_url_hosts: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^([A-Za-z0-9*._-]+|[0-9A-Fa-f.:]+(/[0-9]{1,3})?)$")], ...],
        Meta(
            description="Hosts that pictures to start from are fetched from: names (`*.example.com` for those below "
            "it), and networks, without which no private address is reached. Empty: no picture is fetched.",
            extra={"env": ("EASEL_GATEWAY_IMAGE_URL_HOSTS",)},
        ),
    ] = ()
    image_url_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds that such a picture may take to come.",
            extra={"env": ("EASEL_GATEWAY_IMAGE_URL_TIMEOUT_S",)},
        ),
    ] = 10.0
    header_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds that a client may take to send a request's headers; then the connection is closed.",
            extra={"env": ("EASEL_GATEWAY_HEADER_TIMEOUT_S",)},
        ),
    ] = 15.0
    body_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds that a client may take to send a request body.",
            extra={"env": ("EASEL_GATEWAY_BODY_TIMEOUT_S",)},
        ),
    ] = 30.0
    max_prompt_characters: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_PROMPT_CHARACTERS,
            description="Longest prompt.",
            extra={"env": ("EASEL_GATEWAY_MAX_PROMPT_CHARACTERS",)},
        ),
    ] = MAX_PROMPT_CHARACTERS
    enhancer_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds that a prompt may wait to be enhanced; then it is drawn as it was.",
            extra={"env": ("EASEL_GATEWAY_ENHANCER_TIMEOUT_S",)},
        ),
    ] = ENHANCER_TIMEOUT_S
    chat_intent_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds that the language model gets to say whether a chat message asks for a picture.",
            extra={"env": ("EASEL_GATEWAY_CHAT_INTENT_TIMEOUT_S",)},
        ),
    ] = 1.0
    wait_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds that a waiting request waits for its pictures; the job goes on afterwards.",
            extra={"env": ("EASEL_GATEWAY_WAIT_TIMEOUT_S",)},
        ),
    ] = 600.0
    soft_stop_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Seconds that waiting requests get to finish after the first SIGTERM.",
            extra={"env": ("EASEL_GATEWAY_SOFT_STOP_S",)},
        ),
    ] = 60.0

    def __post_init__(self) -> None:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("EASEL_GATEWAY_TLS_CERT and EASEL_GATEWAY_TLS_KEY need each other")
        try:
            AllowedHosts(self.image_url_hosts)
        except ValueError as fault:
            raise ValueError(f"EASEL_GATEWAY_IMAGE_URL_HOSTS is wrong: {fault}") from fault
        try:
            TrustedNetworks(self.trusted_networks)
        except ValueError as fault:
            raise ValueError(f"EASEL_GATEWAY_TRUSTED_NETWORKS is wrong: {fault}") from fault
        if not self.keys_file and not self.trusted_networks and not is_loopback(self.host):
            raise ValueError(
                f"EASEL_GATEWAY_HOST={self.host} can be reached from other machines, so API keys are needed: make one "
                "with 'easel keys create --keys FILE --name NAME' and set EASEL_GATEWAY_KEYS_FILE=FILE, "
                "or listen on 127.0.0.1, or name the networks that need no key in EASEL_GATEWAY_TRUSTED_NETWORKS"
            )
