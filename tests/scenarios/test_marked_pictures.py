"""The signed statement that a machine drew it reaches clients of every dialect, in every format, unbroken."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import c2pa
import httpx
import pytest

from contracts.images import ImageFormat
from gateway.rpc import text2image_pb2 as pb
from runtime.messaging.settings import BusSettings
from runtime.worker.images.output import Output
from runtime.worker.images.provenance import DRAWN, ProvenanceSettings, make_signer
from tests.scenarios.test_grpc import calling
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

SIZE = {"width": 64, "height": 64}


def is_marked(data: bytes, content_type: str) -> bool:
    with c2pa.Reader(content_type, io.BytesIO(data)) as reader:
        return reader.get_validation_state() == "Valid" and DRAWN in reader.json()


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(signer=make_signer(ProvenanceSettings(provenance="on", data_dir=str(tmp_path))))


@pytest.mark.parametrize("form", ImageFormat)
async def test_every_dialect_hands_the_marked_file_on(
    start_gateway: StartGateway, bus_settings: BusSettings, output: Output, form: ImageFormat
) -> None:
    """The gateway converts nothing: what the worker signed is what clients get, in base64 or as it is."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(), output=output):
        await offering(gateway)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            body = {"prompt": "fox", **SIZE, "output_format": form.value}
            sync = (await http.post("/generate", json=body)).json()
            openai = {"model": "fake", "prompt": "fox", "size": "64x64", "output_format": form.value}
            listed = (await http.post("/v1/images/generations", json=openai)).json()
            linked = (await http.post("/v1/images/generations", json=openai | {"response_format": "url"})).json()
            found = {
                "generate": base64.b64decode(sync["image_base64"]),
                "image": (await http.get(f"/job/{sync['job_id']}/image")).content,
                "openai": base64.b64decode(listed["data"][0]["b64_json"]),
                "link": (await http.get(linked["data"][0]["url"])).content,
            }
            if form is ImageFormat.PNG:
                web_ui = (await http.post("/sdapi/v1/txt2img", json={"prompt": "fox", **SIZE})).json()
                found["sdapi"] = base64.b64decode(web_ui["images"][0])
                mode = (await http.post("/generate", json={"mode": "txt2img", "prompt": "fox", **SIZE})).json()
                found["mode"] = base64.b64decode(mode["base64"])
                async with calling(gateway) as stub:
                    found["grpc"] = (await stub.GenerateImage(pb.ImageRequest(prompt="fox", **SIZE))).image
    assert {name: is_marked(data, form.content_type) for name, data in found.items()} == dict.fromkeys(found, True)
