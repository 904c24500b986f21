"""Flags and environment to processes, before anything runs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cli.launcher.plan import Flags, Plan, make_plan
from cli.launcher.ports import fault_of
from cli.launcher.services import model_faults
from runtime.process.folders import default_data_dir
from runtime.process.settings import SettingsError
from tests.cli.tiny.__main__ import SERVICES
from tests.support.ports import free_port


def plan(flags: Flags, **environ: str) -> Plan:
    return make_plan(flags, environ, SERVICES)


def faults(flags: Flags, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        plan(flags, **environ)
    return raised.value.faults


def test_workers_are_counted_by_the_flag_then_by_the_variables() -> None:
    def names(flags: Flags, **environ: str) -> list[str]:
        return [process.name for process in plan(flags, **environ).processes]

    free = Flags(port=0)
    assert names(free) == ["gateway", "diffusion-1"]
    assert names(free, IMAGE_GEN_MAX_CONCURRENT="2") == ["gateway", "diffusion-1", "diffusion-2"]
    assert names(Flags(port=0, workers=1), EASEL_WORKERS="3") == ["gateway", "diffusion-1"]


def test_every_fault_is_told_at_once_with_the_near_name() -> None:
    told = "\n".join(faults(Flags(), EASEL_WORKERS="0", EASEL_NATS_ACK_WAIT_S="soon", EASEL_NAMESPCE="x"))
    assert "EASEL_WORKERS='0' is wrong" in told
    assert "EASEL_NATS_ACK_WAIT_S='soon' is wrong" in told
    assert "EASEL_NAMESPCE is not a setting; did you mean EASEL_NAMESPACE?" in told
    assert told.count("EASEL_NATS_ACK_WAIT_S") == 1


def test_a_wrong_setting_does_not_hide_a_taken_port_or_a_missing_file(tmp_path: Path) -> None:
    wrong = {"EASEL_WORKER_SLOTS": "none", "EASEL_WORKERS": "0", "EASEL_GATEWAY_PROT": "1"}
    told = faults(Flags(port=0, keys=tmp_path / "keys.json"), **wrong)
    assert len(told) == 4


def test_the_variables_of_this_command_itself_are_known_and_stay_with_it() -> None:
    made = plan(Flags(port=0), EASEL_API_KEY="secret", EASEL_URL="http://elsewhere")
    assert not [process for process in made.processes if "EASEL_API_KEY" in process.environ]


def test_a_missing_keys_file_says_how_to_make_one(tmp_path: Path) -> None:
    (fault,) = faults(Flags(port=0, keys=tmp_path / "keys.json"))
    assert f"easel keys create --keys {tmp_path}/keys.json" in fault


def test_a_missing_model_names_the_near_one() -> None:
    (fault,) = model_faults({"EASEL_DIFFUSION_MODELS": ("stable-diffusion-1.4x",), "EASEL_DIFFUSION_MODELS_FILE": ""})
    assert fault.startswith("no model 'stable-diffusion-1.4x'")
    assert "did you mean" in fault


def test_a_broken_model_file_is_told(tmp_path: Path) -> None:
    (fault,) = model_faults({"EASEL_DIFFUSION_MODELS": (), "EASEL_DIFFUSION_MODELS_FILE": str(tmp_path / "none.toml")})
    assert "none.toml cannot be used" in fault


def test_a_flag_that_the_service_does_not_know_is_refused() -> None:
    assert faults(Flags(port=0, keys=Path("k"), model=("pocket",))) != []


def test_two_services_cannot_share_a_port() -> None:
    port = free_port()
    assert "must differ" in faults(Flags(port=port, nats_port=port))[0]


def test_workers_share_the_cores() -> None:
    first, second = plan(Flags(port=0, workers=2)).processes[1:]
    assert first.environ["OMP_NUM_THREADS"] == second.environ["OMP_NUM_THREADS"]
    assert "OMP_NUM_THREADS" not in plan(Flags(port=0)).processes[1].environ
    assert plan(Flags(port=0, workers=2), OMP_NUM_THREADS="3").processes[1].environ["OMP_NUM_THREADS"] == "3"


def test_a_bus_in_the_environment_is_not_silently_passed_over() -> None:
    assert "NATS_URL is set but not used" in plan(Flags(port=0), NATS_URL="nats://hub:4222").notes[0]


def test_data_lives_where_the_desktop_says(tmp_path: Path) -> None:
    assert default_data_dir({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "easel"
    assert default_data_dir({"XDG_DATA_HOME": "relative"}) == Path.home() / ".local/share/easel"


def test_a_taken_port_names_the_flag_and_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fault = fault_of("127.0.0.1", port, "--port") or ""
    assert fault.startswith(f"port {port} is taken (by pid ")
    assert int(fault.rsplit(" ", 1)[1]) > port


def test_a_free_port_has_no_fault() -> None:
    assert fault_of("127.0.0.1", free_port(), "--port") is None


def test_an_address_of_another_machine_is_told() -> None:
    assert "cannot listen on 192.0.2.1" in (fault_of("192.0.2.1", 8000, "--port") or "")


def test_the_enhancer_is_left_out_where_there_is_no_language_model_and_the_user_is_told() -> None:
    """Pictures are drawn without it."""
    plan = make_plan(Flags(port=0, grpc_port=0), {"EASEL_ENHANCER_ENGINE": "none"})
    assert "enhancer-1" not in [process.name for process in plan.processes]
    assert "no enhancer: EASEL_ENHANCER_ENGINE=none" in plan.notes
    plan = make_plan(Flags(port=0, grpc_port=0), {"EASEL_ENHANCER_URL": "http://127.0.0.1:1"})
    assert "enhancer-1" in [process.name for process in plan.processes]


def test_with_a_certificate_the_address_is_of_https_and_another_bus_is_left_alone() -> None:
    """What the environment says of another bus, its authority and user, is not for this one."""
    certificate = {"EASEL_GATEWAY_TLS_CERT": "/x/cert.pem", "EASEL_GATEWAY_TLS_KEY": "/x/key.pem"}
    other_bus = {"EASEL_NATS_CA": "/x/ca.pem", "EASEL_NATS_USER": "diffusion"}
    made = make_plan(Flags(port=0), certificate | other_bus)
    assert made.url.startswith("https://127.0.0.1:")
    environs = {process.name: process.spec("nats://127.0.0.1:1", Path("x.nk")).environ for process in made.processes}
    assert [name for name, environ in environs.items() if "EASEL_NATS_CA" in environ] == []
    assert "EASEL_NATS_USER" not in environs["gateway"]
    assert environs["diffusion-1"]["EASEL_NATS_USER"] == "diffusion-1"
