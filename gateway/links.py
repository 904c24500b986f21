"""Addresses of our own routes, as the client reaches them."""

from __future__ import annotations

from gateway.auth import HttpRequest
from gateway.service import Picture
from gateway.settings import GatewaySettings


def picture_url(request: HttpRequest, settings: GatewaySettings, job_id: str, picture: Picture) -> str:
    """An absolute link to a picture: under the public address if one is set, else under the one that was asked."""
    base = settings.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    return f"{base.rstrip('/')}/job/{job_id}/image?index={picture.ref.index}"
