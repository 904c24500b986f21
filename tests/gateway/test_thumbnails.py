"""Pictures in a small form, for lists of many."""

from __future__ import annotations

import base64
import io

import httpx
from PIL import Image, ImageStat

from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine

WIDE = {"prompt": "a fox", "width": 768, "height": 384, "num_images": 2, "seed": 5}


def two_halves(left: str, right: str) -> str:
    """A picture that is recognised when it is small."""
    picture = Image.new("RGB", (768, 384), left)
    picture.paste(right, (384, 0, 768, 384))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


async def drawn(http: httpx.AsyncClient, **body: object) -> str:
    answer = await http.post("/generate", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job_id"])


async def small(http: httpx.AsyncClient, url: str) -> Image.Image:
    """The thumbnail once it is stored, which is soon after the picture; until then the picture itself is shown."""

    async def look() -> httpx.Response | None:
        answer = await http.get(url)
        return answer if answer.headers["content-type"] == "image/jpeg" else None

    answer = await eventually(look)
    assert answer is not None
    return Image.open(io.BytesIO(answer.content))


async def test_a_thumbnail_shows_the_picture_in_a_small_form(http: httpx.AsyncClient) -> None:
    """Of the same shape and the same colours, with nothing told inside."""
    job = await drawn(http, **WIDE, init_image=two_halves("navy", "tomato"), strength=0.05)
    facts = (await http.get(f"/job/{job}")).json()["images"]
    assert facts[1]["thumbnail_url"] == f"/job/{job}/thumbnail?index=1"
    for fact in facts:
        thumbnail = await small(http, fact["thumbnail_url"])
        assert thumbnail.size == (384, 192)
        picture = Image.open(io.BytesIO((await http.get(fact["url"])).content))
        for box in ((0, 0, 192, 192), (192, 0, 384, 192)):
            here = ImageStat.Stat(thumbnail.crop(box)).mean
            there = ImageStat.Stat(picture.crop(tuple(2 * side for side in box))).mean  # type: ignore[arg-type]
            assert all(abs(one - other) < 4 for one, other in zip(here, there, strict=True))
        assert not thumbnail.getexif()


async def test_a_small_picture_is_its_own_thumbnail(http: httpx.AsyncClient) -> None:
    job = await drawn(http, prompt="a fox", width=256, height=64)
    thumbnail = await http.get(f"/job/{job}/thumbnail")
    assert thumbnail.content == (await http.get(f"/job/{job}/image")).content
    assert thumbnail.headers["content-type"] == "image/png"
    assert "immutable" in thumbnail.headers["cache-control"]


async def test_there_is_no_thumbnail_of_what_is_not_there(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    job = (await http.post("/generate/async", json={"prompt": "gate"})).json()["job_id"]
    assert (await http.get(f"/job/{job}/thumbnail")).status_code == 409
    assert (await http.get(f"/job/{'0' * 32}/thumbnail")).status_code == 404
    engine.gate.set()
    done = await drawn(http, **WIDE)
    assert (await http.get(f"/job/{done}/thumbnail?index=2")).status_code == 404
