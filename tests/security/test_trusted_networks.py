"""Who may ask without a key: the machines of trusted networks, by the address that they connect from."""

from __future__ import annotations

from pathlib import Path

import grpc
import httpx
import pytest

from contracts.errors import EaselError, ErrorCode
from gateway.access import Access
from gateway.keys import USUAL_SCOPES, Scope, create_key
from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceStub
from gateway.settings import GatewaySettings
from runtime.messaging.settings import BusSettings
from runtime.process.settings import SettingsError, load
from tests.gateway.conftest import app_without_bus, client_of
from tests.security.routes import ROUTES
from tests.support.fake_engine import MovableEngine
from tests.support.gateways import GatewayProcess
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

HOME = ("192.168.1.0/24", "fd00:1::/64")
OF_HOME = ("192.168.1.7", "fd00:1::7", "::ffff:192.168.1.7")
STRANGERS = ("192.168.2.7", "8.8.8.8", "fd00:2::7", "::ffff:192.168.2.7", "2001:db8::1", "", "unix")
PROXIES = (
    {"x-forwarded-for": "192.168.1.7"},
    {"forwarded": "for=192.168.1.7"},
    {"x-real-ip": "192.168.1.7"},
    {"via": "x"},
)
LAN_URL = "http://192.168.1.2:8000"
NEIGHBOUR, STRANGER = "127.0.0.5", "127.0.0.6"
"""Two machines, as far as one machine's sockets can be."""


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    create_key(tmp_path / "keys.json", "anna")
    return tmp_path / "keys.json"


def test_one_setting_opens_the_gateway_to_named_networks_only() -> None:
    environ = {
        "EASEL_GATEWAY_HOST": "0.0.0.0",
        "EASEL_GATEWAY_TRUSTED_NETWORKS": "192.168.1.0/24, fd00:1::/64,10.1.2.3",
    }
    assert load(GatewaySettings, environ).trusted_networks == (*HOME, "10.1.2.3")


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "8.0.0.0/8", "2000::/3", "192.0.0.0/8", "::/1"])
def test_networks_that_strangers_are_in_are_refused(network: str) -> None:
    with pytest.raises(SettingsError, match=r"TRUSTED_NETWORKS.*strangers are in it; name private networks"):
        load(GatewaySettings, {"EASEL_GATEWAY_TRUSTED_NETWORKS": network})


@pytest.mark.parametrize("network", ["192.168.1.7/24", "192.168.1", "lan", "192.168.1.0/33", "10.0.0.0/8;11.0.0.0/8"])
def test_what_is_no_network_is_refused_by_name(network: str) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_NETWORKS"):
        load(GatewaySettings, {"EASEL_GATEWAY_TRUSTED_NETWORKS": network})


@pytest.mark.parametrize("network", ["10.0.0.0/8", "100.64.0.0/10", "fc00::/7", "203.0.113.0/24", "2001:db8:1::/48"])
def test_private_networks_and_one_sites_public_ones_may_be_trusted(network: str) -> None:
    GatewaySettings(host="0.0.0.0", trusted_networks=(network,))


@pytest.mark.parametrize("peer", [*OF_HOME, *STRANGERS, "127.0.0.1"])
@pytest.mark.parametrize("with_keys", [False, True])
def test_the_address_decides_who_may_what(keys_file: Path, peer: str, with_keys: bool) -> None:
    access = Access(GatewaySettings(trusted_networks=HOME, keys_file=str(keys_file) if with_keys else ""))
    caller = access.caller({}, peer)
    if peer in OF_HOME:
        assert (caller.owner, caller.scopes, caller.refusal) == ("" if with_keys else None, USUAL_SCOPES, None)
    elif peer == "127.0.0.1" and not with_keys:
        caller.check(Scope.ADMIN)
    else:
        with pytest.raises(EaselError) as refused:
            caller.check(Scope.READ)
        assert refused.value.code is (ErrorCode.UNAUTHENTICATED if with_keys else ErrorCode.PERMISSION_DENIED)


@pytest.mark.parametrize("peer", STRANGERS)
async def test_without_a_keys_file_strangers_are_refused(peer: str) -> None:
    """On every route that is not public; and they learn no more there than that it lives."""
    async with client_of(app_without_bus(host="0.0.0.0", trusted_networks=HOME), peer) as http:
        for route in ROUTES:
            answer = await http.request(route.method, LAN_URL + route.url("0" * 32), json=route.body)
            assert (answer.status_code == 403) == (route.scope is not None), route
        assert set((await http.get(f"{LAN_URL}/health")).json()) <= {"status", "reason"}


@pytest.mark.parametrize("peer", OF_HOME)
@pytest.mark.parametrize("headers", PROXIES)
async def test_what_came_through_a_proxy_needs_a_key(peer: str, headers: dict[str, str]) -> None:
    """The proxy is in the network; who asked it may be anywhere."""
    async with client_of(app_without_bus(host="0.0.0.0", trusted_networks=HOME), peer) as http:
        answer = await http.get(f"{LAN_URL}/jobs", headers=headers)
        assert (answer.status_code, "proxy" in answer.json()["error"]) == (403, True)
        assert (await http.get(f"{LAN_URL}/jobs")).status_code == 503  # past the guard, and there is no bus


@pytest.mark.parametrize("headers", PROXIES)
async def test_no_header_makes_a_stranger_trusted(headers: dict[str, str]) -> None:
    async with client_of(app_without_bus(host="0.0.0.0", trusted_networks=HOME), "192.168.2.7") as http:
        assert (await http.get(f"{LAN_URL}/jobs", headers=headers)).status_code == 403


async def test_a_wrong_key_is_refused_from_a_trusted_network_too(keys_file: Path) -> None:
    """Whoever sends one means it: the jobs that it should show would be missing without a word."""
    app = app_without_bus(host="0.0.0.0", trusted_networks=HOME, keys_file=str(keys_file))
    async with client_of(app, "192.168.1.7") as http:
        assert (await http.get(f"{LAN_URL}/jobs", headers={"x-api-key": "wrong"})).status_code == 401
        assert (await http.get(f"{LAN_URL}/jobs")).status_code == 503


@pytest.mark.parametrize("with_keys", [False, True])
async def test_a_page_cannot_use_the_place_of_its_reader(keys_file: Path, with_keys: bool) -> None:
    """Its own name for our address, or its own origin; our page, by address and by name, may."""
    settings = {"keys_file": str(keys_file)} if with_keys else {}
    app = app_without_bus(host="0.0.0.0", trusted_networks=HOME, public_url="http://easel.lan:8000", **settings)
    body = {"prompt": "a"}
    async with client_of(app, "192.168.1.7") as http:
        for url, origin, status in (
            ("http://evil.example:8000", "http://evil.example:8000", 403),
            (LAN_URL, "https://evil.example", 403),
            (LAN_URL, "null", 403),
            (LAN_URL, "http://192.168.1.2:9000", 403),
            (LAN_URL, LAN_URL, 503),
            ("http://[fd00:1::2]:8000", "http://[fd00:1::2]:8000", 503),
            ("http://easel.lan:8000", "http://easel.lan:8000", 503),
        ):
            answer = await http.post(f"{url}/generate/async", json=body, headers={"origin": origin})
            assert answer.status_code == status, (url, origin)


async def test_a_real_gateway_tells_a_neighbour_from_a_stranger(
    bus_settings: BusSettings, start_gateway: StartGateway, keys_file: Path
) -> None:
    """Over real sockets: a neighbour draws, sees what others without a key drew, and changes nothing for everybody."""
    holder = create_key(keys_file, "bert")
    settings = {"EASEL_GATEWAY_TRUSTED_NETWORKS": f"{NEIGHBOUR}/32", "EASEL_GATEWAY_KEYS_FILE": str(keys_file)}
    async with (
        running_worker(bus_settings, MovableEngine()),
        start_gateway(**settings) as gateway,
        _from(NEIGHBOUR, gateway) as neighbour,
        _from(STRANGER, gateway) as stranger,
    ):
        await offering(gateway, key=holder)
        drawn = (await neighbour.post("/generate", json={"prompt": "a"})).json()["job_id"]
        theirs = (await stranger.post("/generate", json={"prompt": "a"}, headers={"x-api-key": holder})).json()[
            "job_id"
        ]
        assert [job["job_id"] for job in (await neighbour.get("/jobs")).json()["jobs"]] == [drawn]
        assert (await neighbour.get(f"/job/{theirs}")).status_code == 404
        assert (await neighbour.post("/models/unload", json={"model": "fake"})).status_code == 403
        assert (await stranger.get("/jobs")).status_code == 401


@pytest.mark.parametrize(("network", "opened"), [("127.0.0.0/8", True), (f"{NEIGHBOUR}/32", False)])
async def test_grpc_asks_the_same(
    bus_settings: BusSettings, start_gateway: StartGateway, keys_file: Path, network: str, opened: bool
) -> None:
    settings = {"EASEL_GATEWAY_TRUSTED_NETWORKS": network, "EASEL_GATEWAY_KEYS_FILE": str(keys_file)}
    async with (
        start_gateway(**settings) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        stub, proxied = Text2ImageServiceStub(channel), (("x-forwarded-for", "127.0.0.1"),)
        refused = grpc.StatusCode.UNAUTHENTICATED
        past_the_check = (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
        assert (await _status(stub) in past_the_check) if opened else (await _status(stub) is refused)
        assert await _status(stub, proxied) is (grpc.StatusCode.PERMISSION_DENIED if opened else refused)


def _from(address: str, gateway: GatewayProcess) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=gateway.url, transport=transport, timeout=30)


async def _status(stub: Text2ImageServiceStub, metadata: tuple[tuple[str, str], ...] = ()) -> grpc.StatusCode:
    try:
        await stub.GetStatus(pb.StatusRequest(), metadata=metadata)
    except grpc.aio.AioRpcError as fault:
        return fault.code()
    return grpc.StatusCode.OK
