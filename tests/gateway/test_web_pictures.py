"""Pictures named by an address: fetched from where the operator allows it, and from nowhere else."""

from __future__ import annotations

import base64
import io
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from gateway.allowed_hosts import AllowedHosts
from gateway.settings import GatewaySettings
from gateway.web_pictures import MAX_REDIRECTS, WebPictures
from runtime.messaging.settings import BusSettings
from tests.gateway.conftest import OpenGateway
from tests.support.fake_engine import FakeEngine
from tests.support.picture_server import Page, PictureServer
from tests.support.workers import running_worker

HERE = "127.0.0.0/8"


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer() as running:
        running.pages["/fox.png"] = Page(png())
        yield running


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "navy").save(out, "PNG")
    return out.getvalue()


def fetching(*hosts: str, max_bytes: int = 1 << 20, timeout_s: float = 10.0) -> WebPictures:
    """With a resolver that knows two names: `inside.example` is this machine, `outside.example` a public one."""

    async def resolve(host: str, port: int) -> list[str]:
        return {"inside.example": ["127.0.0.1"], "outside.example": ["93.184.216.34"]}.get(host, [host])

    return WebPictures(hosts, max_bytes, timeout_s, resolve=resolve)


async def refused(pictures: WebPictures, url: str) -> str:
    with pytest.raises(EaselError) as caught:
        await pictures.fetch(url, "init_image")
    assert (caught.value.code, caught.value.param) == (ErrorCode.INVALID_REQUEST, "init_image")
    return caught.value.message


async def test_a_picture_comes_from_a_host_that_is_allowed(server: PictureServer) -> None:
    """The server is asked in the name of the host, though the connection goes to the address that was checked."""
    url = f"http://inside.example:{server.port}/fox.png"
    assert await fetching("inside.example", HERE).fetch(url, "init_image") == png()
    assert server.asked == [(f"inside.example:{server.port}", "/fox.png")]


async def test_an_allowed_name_that_leads_into_a_private_network_is_not_followed(server: PictureServer) -> None:
    """Unless the network is allowed too."""
    said = await refused(fetching("inside.example"), f"http://inside.example:{server.port}/fox.png")
    assert "not a public host" in said
    assert server.asked == []


async def test_a_name_that_changes_its_address_is_asked_once_and_gains_nothing(server: PictureServer) -> None:
    """The first answer was checked, and that is where the connection goes."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    pictures = WebPictures(("rebinding.example", HERE), 1 << 20, 10.0, resolve=resolve)
    assert await pictures.fetch(f"http://rebinding.example:{server.port}/fox.png", "init_image") == png()
    assert next(answers) == ["10.0.0.1"], "resolved more than once"


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/fox.png",
        "http://127.0.0.1/fox.png",
        "http://[::1]/fox.png",
        "http://2130706433/fox.png",
        "http://user@outside.example/fox.png",
        "http:///fox.png",
        "https://",
        "http://outside.example:99999/",
    ],
)
async def test_other_hosts_are_refused_however_they_are_written(url: str) -> None:
    await refused(fetching("outside.example", "*.pictures.example"), url)


@pytest.mark.parametrize(
    "location", ["http://other.example/", "http://127.0.0.2:1/", "file:///etc/passwd", "//10.0.0.1/"]
)
async def test_a_redirect_is_checked_like_the_first_address(server: PictureServer, location: str) -> None:
    server.pages["/away"] = Page(status=302, location=location)
    pictures = fetching("inside.example", "127.0.0.1/32")
    assert "not fetched from" in await refused(pictures, f"http://inside.example:{server.port}/away")
    assert len(server.asked) == 1


async def test_redirects_are_followed_a_few_times(server: PictureServer) -> None:
    server.pages["/moved"] = Page(status=301, location="/fox.png")
    server.pages["/round"] = Page(status=302, location="/round")
    pictures = fetching("inside.example", HERE)
    assert await pictures.fetch(f"http://inside.example:{server.port}/moved", "init_image") == png()
    assert "redirects" in await refused(pictures, f"http://inside.example:{server.port}/round")
    assert [path for _, path in server.asked].count("/round") == MAX_REDIRECTS + 1


async def test_what_is_too_large_too_slow_or_not_there_is_refused(server: PictureServer) -> None:
    server.pages["/large"] = Page(b"x" * 5000)
    url = f"http://inside.example:{server.port}"
    assert "exceeds 4000 bytes" in await refused(fetching("inside.example", HERE, max_bytes=4000), f"{url}/large")
    assert "within 0.2 s" in await refused(fetching("inside.example", HERE, timeout_s=0.2), f"{url}/silent")
    assert "status 404" in await refused(fetching("inside.example", HERE), f"{url}/nothing")
    assert "could not be fetched" in await refused(fetching("inside.example", HERE), "http://inside.example:1/")


async def test_the_certificate_must_be_the_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the connection goes to an address."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("inside.example").configure_cert(context)
    with PictureServer(context) as server:
        server.pages["/fox.png"] = Page(png())
        pictures = fetching("*.example", HERE)
        assert await pictures.fetch(f"https://inside.example:{server.port}/fox.png", "init_image") == png()
        await refused(fetching(HERE), f"https://127.0.0.1:{server.port}/fox.png")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1"),
    ],
)
async def test_no_private_address_counts_as_public(address: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [address]

    said = await refused(WebPictures(("a.example",), 1, 1.0, resolve=resolve), "http://a.example/")
    assert "not a public host" in said


def test_a_star_stands_for_what_is_below_a_name() -> None:
    hosts = AllowedHosts(("*.example.com", "one.org"))
    assert [hosts.host(name) for name in ("a.example.com", "A.B.example.com.", "one.org")] == [True] * 3
    assert [hosts.host(name) for name in ("example.com", "aexample.com", "two.org", "a.one.org")] == [False] * 4


@pytest.mark.parametrize("entry", ["10.0.0.0/99", "beef:1"])
def test_an_entry_that_is_no_host_is_refused_at_start(entry: str) -> None:
    with pytest.raises(ValueError, match="EASEL_GATEWAY_IMAGE_URL_HOSTS"):
        GatewaySettings(image_url_hosts=(entry,))


async def test_every_dialect_takes_an_address_where_the_operator_allows_it(
    bus_settings: BusSettings, open_gateway: OpenGateway, server: PictureServer
) -> None:
    """With hardly any strength the answer is the picture that was fetched."""
    url = f"http://127.0.0.1:{server.port}/fox.png"
    bodies = {
        "/v1/images/edits": {"prompt": "a hat", "images": [{"image_url": url}], "strength": 0},
        "/generate": {"prompt": "a hat", "init_image": url, "strength": 0},
        "/sdapi/v1/img2img": {"prompt": "a hat", "init_images": [url], "denoising_strength": 0},
    }
    async with running_worker(bus_settings, FakeEngine()):
        async with open_gateway(image_url_hosts=(HERE,)) as http:
            for path, body in bodies.items():
                answer = await http.post(path, json=body)
                assert answer.status_code == 200, answer.text
                assert _colour(answer) == (0, 0, 128), path
        async with open_gateway() as http:
            for path, body in bodies.items():
                answer = await http.post(path, json=body)
                assert answer.status_code in (400, 422)
                assert "nothing is fetched" in answer.text
    assert len(server.asked) == len(bodies)


def _colour(answer: httpx.Response) -> object:
    reply = answer.json()
    text = reply["data"][0]["b64_json"] if "data" in reply else reply.get("image_base64") or reply["images"][0]
    return Image.open(io.BytesIO(base64.b64decode(text))).getpixel((5, 5))
