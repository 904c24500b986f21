"""Memory and load of the graphics devices, asked of their drivers when somebody looks.

NVIDIA's by NVML (the package `nvidia-ml-py`), AMD's by the files of its kernel driver. Others have no such door.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from contracts.workers import DeviceLoad

_CARDS = Path("/sys/class/drm")


class Devices:
    """The graphics devices of this machine."""

    def __init__(self, cards: Path = _CARDS) -> None:
        self._cards = cards
        self._nvml = _open_nvml()

    def read(self) -> tuple[DeviceLoad, ...]:
        """How each of them is doing now."""
        nvidia = () if self._nvml is None else _nvidia(self._nvml)
        return (*nvidia, *amd_devices(self._cards))


class DeviceCollector(Collector):
    """`hw_gpu_*`, in the words of OpenTelemetry's hardware conventions."""

    def __init__(self) -> None:
        self._devices = Devices()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        usage = GaugeMetricFamily("hw_gpu_memory_usage_bytes", "Memory of the device in use.", labels=["hw_id"])
        limit = GaugeMetricFamily("hw_gpu_memory_limit_bytes", "Memory of the device.", labels=["hw_id"])
        share = GaugeMetricFamily("hw_gpu_memory_utilization_ratio", "Share of it in use.", labels=["hw_id"])
        busy = GaugeMetricFamily("hw_gpu_utilization_ratio", "Share of time that the device is busy.", labels=["hw_id"])
        for device in self._devices.read():
            usage.add_metric([device.id], device.memory_used_bytes)
            limit.add_metric([device.id], device.memory_bytes)
            share.add_metric([device.id], device.memory_used_bytes / device.memory_bytes)
            busy.add_metric([device.id], device.utilization)
        yield from (usage, limit, share, busy)


def watch_devices() -> None:
    """Show the devices among the process's metrics; harmless when repeated."""
    with contextlib.suppress(ValueError):  # it is there already
        REGISTRY.register(DeviceCollector())


def amd_devices(cards: Path) -> Iterator[DeviceLoad]:
    """The cards whose driver tells, as amdgpu's does (`mem_info_vram_used` and others)."""
    for device in sorted(cards.glob("card[0-9]*/device")):
        try:
            used, total, busy = (
                int((device / name).read_text())
                for name in ("mem_info_vram_used", "mem_info_vram_total", "gpu_busy_percent")
            )
        except (OSError, ValueError):
            continue
        if total:
            yield _load(device.parent.name, used, total, busy)


def _open_nvml() -> Any:
    """NVIDIA's library, or None where there is no such package, driver or device."""
    try:
        import pynvml  # noqa: PLC0415  not everywhere
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _nvidia(nvml: Any) -> Iterator[DeviceLoad]:
    for index in range(nvml.nvmlDeviceGetCount()):
        with contextlib.suppress(nvml.NVMLError):  # a device that has fallen off the bus is absent, not fatal
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            busy = nvml.nvmlDeviceGetUtilizationRates(handle).gpu
            yield _load(f"cuda:{index}", memory.used, memory.total, busy)


def _load(name: str, used: int, total: int, busy_percent: float) -> DeviceLoad:
    return DeviceLoad(id=name, memory_used_bytes=used, memory_bytes=total, utilization=busy_percent / 100)
