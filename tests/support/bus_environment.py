"""Settings of the bus as the environment of a process."""

from __future__ import annotations

from runtime.messaging.settings import BusSettings
from runtime.process.settings import fields


def bus_environment(settings: BusSettings) -> dict[str, str]:
    """All that a process reads of them."""
    values = {field.env[0]: getattr(settings, field.name) for field in fields(BusSettings)}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
