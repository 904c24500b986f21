from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageRequest(_message.Message):
    __slots__ = ("prompt", "height", "width", "guidance_scale", "num_inference_steps", "negative_prompt", "seed", "model", "num_previews", "init_image", "mask_image", "strength", "use_enhancer", "style", "cache", "loras")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    NUM_INFERENCE_STEPS_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NUM_PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    INIT_IMAGE_FIELD_NUMBER: _ClassVar[int]
    MASK_IMAGE_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    USE_ENHANCER_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    LORAS_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    height: int
    width: int
    guidance_scale: float
    num_inference_steps: int
    negative_prompt: str
    seed: int
    model: str
    num_previews: int
    init_image: bytes
    mask_image: bytes
    strength: float
    use_enhancer: bool
    style: str
    cache: str
    loras: _containers.RepeatedCompositeFieldContainer[Lora]
    def __init__(self, prompt: _Optional[str] = ..., height: _Optional[int] = ..., width: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., num_inference_steps: _Optional[int] = ..., negative_prompt: _Optional[str] = ..., seed: _Optional[int] = ..., model: _Optional[str] = ..., num_previews: _Optional[int] = ..., init_image: _Optional[bytes] = ..., mask_image: _Optional[bytes] = ..., strength: _Optional[float] = ..., use_enhancer: _Optional[bool] = ..., style: _Optional[str] = ..., cache: _Optional[str] = ..., loras: _Optional[_Iterable[_Union[Lora, _Mapping]]] = ...) -> None: ...

class Lora(_message.Message):
    __slots__ = ("name", "weight")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: float
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class ImageResponse(_message.Message):
    __slots__ = ("status_code", "message", "image", "content_type", "width", "height", "seed", "model", "job_id", "generation_time", "metadata_json")
    STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_TIME_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    status_code: int
    message: str
    image: bytes
    content_type: str
    width: int
    height: int
    seed: int
    model: str
    job_id: str
    generation_time: float
    metadata_json: str
    def __init__(self, status_code: _Optional[int] = ..., message: _Optional[str] = ..., image: _Optional[bytes] = ..., content_type: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., seed: _Optional[int] = ..., model: _Optional[str] = ..., job_id: _Optional[str] = ..., generation_time: _Optional[float] = ..., metadata_json: _Optional[str] = ...) -> None: ...

class ImageEvent(_message.Message):
    __slots__ = ("accepted", "progress", "finished")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    progress: Progress
    finished: ImageResponse
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., finished: _Optional[_Union[ImageResponse, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("step", "total_steps", "preview")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    step: int
    total_steps: int
    preview: Preview
    def __init__(self, step: _Optional[int] = ..., total_steps: _Optional[int] = ..., preview: _Optional[_Union[Preview, _Mapping]] = ...) -> None: ...

class Preview(_message.Message):
    __slots__ = ("image", "content_type", "width", "height")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    content_type: str
    width: int
    height: int
    def __init__(self, image: _Optional[bytes] = ..., content_type: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class JobRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class JobStatus(_message.Message):
    __slots__ = ("job_id", "state")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    state: str
    def __init__(self, job_id: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class EnhanceRequest(_message.Message):
    __slots__ = ("prompt", "model", "style")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    model: str
    style: str
    def __init__(self, prompt: _Optional[str] = ..., model: _Optional[str] = ..., style: _Optional[str] = ...) -> None: ...

class EnhanceResponse(_message.Message):
    __slots__ = ("status_code", "enhanced_prompt", "source", "language_model", "metadata_json")
    STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_MODEL_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    status_code: int
    enhanced_prompt: str
    source: str
    language_model: str
    metadata_json: str
    def __init__(self, status_code: _Optional[int] = ..., enhanced_prompt: _Optional[str] = ..., source: _Optional[str] = ..., language_model: _Optional[str] = ..., metadata_json: _Optional[str] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("status_code", "status", "model_version", "models", "workers", "jobs_waiting", "jobs_running", "status_json", "loras")
    STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    JOBS_WAITING_FIELD_NUMBER: _ClassVar[int]
    JOBS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    STATUS_JSON_FIELD_NUMBER: _ClassVar[int]
    LORAS_FIELD_NUMBER: _ClassVar[int]
    status_code: int
    status: str
    model_version: str
    models: _containers.RepeatedScalarFieldContainer[str]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    jobs_waiting: int
    jobs_running: int
    status_json: str
    loras: _containers.RepeatedCompositeFieldContainer[ModelLoras]
    def __init__(self, status_code: _Optional[int] = ..., status: _Optional[str] = ..., model_version: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ..., jobs_waiting: _Optional[int] = ..., jobs_running: _Optional[int] = ..., status_json: _Optional[str] = ..., loras: _Optional[_Iterable[_Union[ModelLoras, _Mapping]]] = ...) -> None: ...

class ModelLoras(_message.Message):
    __slots__ = ("model", "names")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    model: str
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("id", "device", "slots", "free_slots", "memory_bytes")
    ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    FREE_SLOTS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    device: str
    slots: int
    free_slots: int
    memory_bytes: int
    def __init__(self, id: _Optional[str] = ..., device: _Optional[str] = ..., slots: _Optional[int] = ..., free_slots: _Optional[int] = ..., memory_bytes: _Optional[int] = ...) -> None: ...
