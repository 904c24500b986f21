"""`easel up` with real processes: a real nats-server, and services too small to be slow."""

from __future__ import annotations

import json
import os
import signal
import socket
import urllib.request
from pathlib import Path

import psutil

from tests.cli.processes import alive, tiny_system, until


def test_everything_starts_and_the_line_of_json_says_where(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=2) as system:
        state = system.ready()
        assert {"nats", "gateway", "diffusion-1", "diffusion-2"} == set(state["pids"])
        assert all(alive(pid) for pid in state["pids"].values())
        with urllib.request.urlopen(state["url"] + "/readyz", timeout=5) as answer:
            assert answer.status == 200
        assert state == json.loads((tmp_path / "running.json").read_text())
        assert system.end()[0] == 0


def test_each_command_line_names_its_service(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1) as system:
        pids = system.ready()["pids"]
        lines = {name: " ".join(psutil.Process(pid).cmdline()) for name, pid in pids.items()}
        assert "nats-server" in lines["nats"]
        assert "gateway" in lines["gateway"]


def test_the_bus_flushes_every_message_to_disk_before_it_acknowledges(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1) as system:
        with urllib.request.urlopen(system.ready()["nats_monitor_url"] + "/jsz?config=true", timeout=5) as answer:
            config = json.load(answer)["config"]
        assert config["sync_always"]
        assert config["store_dir"].startswith(str(tmp_path))


def test_ctrl_c_stops_everything_and_leaves_no_process(tmp_path: Path) -> None:
    with tiny_system(tmp_path, TINY_WORKER_CHILD="1") as system:
        system.ready()
        pids = until(lambda: len(system.pids()) >= 7 and system.pids())
        status, said = system.end(signal.SIGINT)
        assert status == 0
        assert "stopped" in said
        assert [pid for pid in pids if alive(pid)] == []
        assert not (tmp_path / "running.json").exists()


def test_sigterm_and_a_closed_terminal_stop_it_too(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        with tiny_system(tmp_path, workers=1) as system:
            system.ready()
            pids = system.pids()
            assert system.end(number)[0] == 0
            assert [pid for pid in pids if alive(pid)] == []


def test_a_second_ctrl_c_kills_what_will_not_stop(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1, TINY_WORKER_STUBBORN="1") as system:
        pids = system.ready()["pids"]
        system.process.send_signal(signal.SIGINT)
        until(lambda: not alive(pids["gateway"]))
        assert alive(pids["diffusion-1"])
        status, said = system.end(signal.SIGINT)
        assert (status, any(alive(pid) for pid in pids.values())) == (0, False)
        assert "killing what is left" in said


def test_ctrl_c_while_starting_stops_what_has_started(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1) as system:
        pids = until(lambda: len(system.pids()) > 1 and system.pids())
        assert system.end()[0] == 0
        assert [pid for pid in pids if alive(pid)] == []


def test_a_killed_launcher_leaves_no_process(tmp_path: Path) -> None:
    with tiny_system(tmp_path) as system:
        pids = list(system.ready()["pids"].values())
        system.process.kill()
        until(lambda: not any(alive(pid) for pid in pids))


def test_a_killed_worker_gateway_or_bus_comes_back(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1) as system:
        state = system.ready()
        log = tmp_path / "logs" / "diffusion-1.log"
        for pid in state["pids"].values():
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(system.pids()) == 4 and not set(system.pids()) & set(state["pids"].values()))
        until(lambda: set(json.loads((tmp_path / "running.json").read_text())["pids"].values()) < set(system.pids()))
        _, host, port = state["nats_url"].replace("/", "").split(":")
        until(lambda: _answers(host, int(port)))
        until(lambda: log.read_text().count('"ready"') == 2)
        said = system.end()[1]
        assert "diffusion-1 ended (killed by SIGKILL); starting it again in 0.5 s" in said
        assert "diffusion-1 is ready again" in said


def _answers(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_a_worker_that_cannot_start_ends_it_all_with_the_reason(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1, TINY_WORKER_FAILS="1") as system:
        status, said = system.said_on_failure()
        assert status == 1
        assert "diffusion-1 could not start (exit status 1): cannot work: no model 'nope'" in said
        assert str(tmp_path / "logs" / "diffusion-1.log") in said


def test_it_goes_on_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1) as system:
        worker = system.ready()["pids"]["diffusion-1"]
        assert system.process.stderr is not None
        system.process.stderr.close()
        os.kill(worker, signal.SIGKILL)
        until(lambda: len(system.pids()) == 4 and worker not in system.pids())
        system.process.send_signal(signal.SIGINT)
        assert system.process.wait(30) == 0


def test_a_data_folder_may_have_any_name(tmp_path: Path) -> None:
    with tiny_system(tmp_path / 'my "pïctures" $HOME', workers=1) as system:
        assert system.ready()["pids"]
        assert system.end()[0] == 0


def test_a_second_launcher_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1) as first:
        first.ready()
        with tiny_system(tmp_path, workers=1) as second:
            status, said = second.said_on_failure()
        assert (status, f"pid {first.process.pid}" in said) == (2, True)
        assert "--data-dir" in said
        assert first.end()[0] == 0


def test_the_lock_outlives_no_killed_launcher(tmp_path: Path) -> None:
    with tiny_system(tmp_path, workers=1) as first:
        first.ready()
        first.process.kill()
    with tiny_system(tmp_path, workers=1) as second:
        assert second.ready()["pids"]
        assert second.end()[0] == 0


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with tiny_system(tmp_path, port=port) as system:
            status, said = system.said_on_failure()
    assert status == 2
    assert f"port {port} is taken (by pid {os.getpid()}, " in said
    assert "or use --port " in said
