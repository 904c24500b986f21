"""Who may ask what: every HTTP route and every gRPC method, with the scope that it needs. This is the specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.keys import Scope

PUBLIC = None
READ, GENERATE, ENHANCE, ADMIN = Scope.READ, Scope.GENERATE, Scope.ENHANCE, Scope.ADMIN
JOB = "{job_id:str}"


class Route(NamedTuple):
    """One method of one route."""

    method: str
    path: str
    """As the application has it."""
    scope: Scope | None
    """None where everybody is answered."""
    body: Mapping[str, Any] | None = None
    """What a good request sends."""
    answer: int = 200
    """To a good request on a fresh system with one worker and no enhancer."""

    def url(self, job_id: str) -> str:
        """Where to ask."""
        places = {JOB: job_id, "{model_id:path}": "fake", "{name:path}": "api.js", "{path:str}": "nothing"}
        for name, value in places.items():
            if name in self.path:
                return self.path.replace(name, value)
        return self.path

    @property
    def names_a_job(self) -> bool:
        return JOB in self.path


DRAWING = {"prompt": "a", "width": 64, "height": 64}
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP8z4AdMOEQH6QSAM1BAQ/oQeJvAAAAAElFTkSuQmCC"
SD = "/sdapi/v1"
MCP = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}

ROUTES = (
    # what a browser or a probe needs before anybody has said who they are: nothing in it is anybody's
    Route("GET", "/", PUBLIC),
    Route("GET", "/web/{name:path}", PUBLIC),
    Route("GET", "/docs", PUBLIC, answer=302),
    Route("GET", "/redoc", PUBLIC, answer=302),
    Route("GET", "/schema", PUBLIC),
    Route("GET", "/schema/openapi.json", PUBLIC),
    Route("GET", "/schema/{path:str}", PUBLIC, answer=404),
    Route("GET", "/livez", PUBLIC),
    Route("GET", "/startupz", PUBLIC),
    Route("GET", "/readyz", PUBLIC),
    Route("GET", "/health", PUBLIC),
    Route("GET", "/internal/ping", PUBLIC),
    Route("GET", "/v1/models", READ),
    Route("GET", "/v1/models/{model_id:path}", READ),
    Route("GET", "/v1/usage", READ),
    Route("GET", "/v1/tools/generate_image", READ),
    Route("GET", "/workers", READ),
    Route("GET", "/metrics", READ),
    Route("GET", "/jobs", READ),
    Route("GET", "/page/events", READ),
    Route("GET", "/page/jobs", READ),
    Route("GET", f"/job/{JOB}", READ),
    Route("GET", f"/job/{JOB}/result", READ),
    Route("GET", f"/job/{JOB}/image", READ),
    Route("GET", f"/job/{JOB}/thumbnail", READ),
    Route("GET", f"/job/{JOB}/events", READ),
    Route("GET", "/pipeline/status", READ),
    Route("GET", "/pipeline/image", READ, answer=409),
    *(
        Route("GET", f"{SD}/{name}", READ)
        for name in (
            "cmd-flags", "embeddings", "extensions", "face-restorers", "hypernetworks", "latent-upscale-modes", "loras",
            "memory", "options", "progress", "prompt-styles", "realesrgan-models", "samplers", "schedulers",
            "script-info", "scripts", "sd-models", "sd-modules", "sd-vae", "upscalers",
        )
    ),
    Route("POST", "/v1/images/generations", GENERATE, {"model": "fake", "prompt": "a"}),
    Route("POST", "/v1/images/edits", GENERATE, {"prompt": "a", "images": [{"image_url": f"data:image/png;base64,{PICTURE}"}]}),
    Route("POST", "/v1/images/variations", GENERATE, {"images": [{"image_url": f"data:image/png;base64,{PICTURE}"}]}),
    Route("POST", "/v1/chat/images", GENERATE, {"message": "/imagine a fox"}),
    Route("POST", "/generate", GENERATE, DRAWING),
    Route("POST", "/generate/async", GENERATE, DRAWING, answer=202),
    Route("POST", f"/job/{JOB}/retry", GENERATE, answer=202),
    Route("POST", f"/job/{JOB}/edit", GENERATE, {"prompt": "b"}, answer=202),
    Route("DELETE", f"/job/{JOB}", GENERATE),
    Route("POST", f"{SD}/txt2img", GENERATE, DRAWING),
    Route("POST", f"{SD}/img2img", GENERATE, {**DRAWING, "init_images": [PICTURE]}),
    Route("POST", f"{SD}/interrupt", GENERATE),
    Route("POST", f"{SD}/skip", GENERATE),
    Route("POST", f"{SD}/options", GENERATE, {"sd_model_checkpoint": "fake"}),
    Route("POST", f"{SD}/png-info", GENERATE, {"image": PICTURE}),
    Route("POST", f"{SD}/refresh-checkpoints", GENERATE),
    Route("POST", f"{SD}/refresh-vae", GENERATE),
    Route("POST", f"{SD}/refresh-loras", GENERATE),
    Route("POST", "/pipeline/select-device", GENERATE, {"device": "CPU"}),
    Route("POST", "/pipeline/run", GENERATE, {"prompt": "a"}),
    Route("POST", "/models/load", GENERATE, {"model": "fake"}),
    Route("POST", "/mcp", GENERATE, MCP),
    Route("POST", "/v1/prompts/enhance", ENHANCE, {"prompt": "a"}, answer=502),
    Route("POST", "/models/unload", ADMIN, {"model": "fake"}),
)  # fmt: skip

METHODS: dict[str, Scope] = {
    "GenerateImage": GENERATE,
    "GenerateImageStream": GENERATE,
    "CancelJob": GENERATE,
    "EnhancePrompt": ENHANCE,
    "GetStatus": READ,
}
"""Of `text2image.Text2ImageService`."""
PUBLIC_SERVICES = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
