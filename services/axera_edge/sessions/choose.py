"""Settings and files to a way of opening graphs; only the chosen library is imported."""

from __future__ import annotations

from contracts.errors import EaselError, ErrorCode
from services.axera_edge.description import ModelFiles
from services.axera_edge.sessions.session import OpenSession
from services.axera_edge.settings import EdgeSettings

COMPILED = ".axmodel"


def choose_sessions(settings: EdgeSettings, files: ModelFiles) -> OpenSession:
    """What opens the graphs.

    Raises:
        EaselError: ENGINE_FAILED, the library is not installed or finds no driver.
    """
    backend = settings.backend
    if backend == "auto":
        backend = "axengine" if files.unet.suffix == COMPILED else "onnxruntime"
    try:
        if backend == "axengine":
            from services.axera_edge.sessions.axengine_sessions import AxengineSessions  # noqa: PLC0415  on the device alone

            return AxengineSessions(settings.provider, settings.device_id)
        from services.axera_edge.sessions.onnxruntime_sessions import OnnxRuntimeSessions  # noqa: PLC0415  on other machines alone

        return OnnxRuntimeSessions(settings.threads)
    except ImportError as fault:
        message = (
            f"{backend} cannot be used: {fault}; RASPBERRY_PI_SETUP.md says how to install it, `doctor` what lacks"
        )
        raise EaselError(ErrorCode.ENGINE_FAILED, message) from fault
