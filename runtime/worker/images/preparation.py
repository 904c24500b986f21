"""What is asked of a worker between pictures, done to its engine. Runs in the engine's thread."""

from __future__ import annotations

from contracts.errors import EaselError, ErrorCode
from contracts.preparation import Preparation, UnloadModel
from runtime.messaging.preparation import OnStage
from runtime.worker.images.engine import ImageEngine, PreparableEngine


def prepare_engine(engine: ImageEngine, wanted: Preparation, on_stage: OnStage) -> None:
    """Load, unload or move; the device first, so that a device that is not there costs nothing.

    Raises:
        EaselError: MODEL_NOT_FOUND, ENGINE_FAILED; UNSUPPORTED where the engine stays as it is.
    """
    if isinstance(wanted, UnloadModel):
        on_stage(f"unloading {wanted.model}")
        _preparable(engine).unload(wanted.model)
        return
    model = wanted.model or engine.models[0].id
    if model not in [offered.id for offered in engine.models]:
        offered = ", ".join(offered.id for offered in engine.models)
        raise EaselError(ErrorCode.MODEL_NOT_FOUND, f"no model {model!r} here; there is {offered}", param="model")
    if wanted.device:
        _preparable(engine).select_device(wanted.device)
    if model not in engine.loaded:
        on_stage(f"loading {model} on {engine.device}")
        engine.load(model)


def _preparable(engine: ImageEngine) -> PreparableEngine:
    if not isinstance(engine, PreparableEngine):
        raise EaselError(ErrorCode.UNSUPPORTED, f"this worker draws on {engine.device}, always with the same models")
    return engine
