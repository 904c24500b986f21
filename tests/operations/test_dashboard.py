"""Grafana's dashboard and Prometheus' rules: every expression parses, and asks for what a running system tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml

from runtime.messaging.settings import BusSettings
from tests.operations.manifests import ROOT
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.systems import StartGateway, offering
from tests.support.workers import WorkerProcess

RULES = ROOT / "deploy/prometheus/rules.yml"
NEEDS_A_DEVICE = {"hw_gpu_memory_utilization_ratio", "hw_gpu_utilization_ratio"}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "deploy/grafana/easel.json").read_text())
    return found


def queries() -> list[str]:
    """What the panels ask, as Grafana sends it."""
    targets = [target for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [target["expr"].replace("$__rate_interval", "1m") for target in targets]


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def names(expression: str) -> set[str]:
    """The metrics that an expression reads."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(by|on|without) \([^)]*\)', "", expression)
    return set(re.findall(r"\b[a-z][\w:]*[_:][\w:]+\b", bare)) - {"histogram_quantile"}


@pytest.mark.parametrize("expression", queries() + [rule["expr"] for rule in rules()])
def test_every_expression_is_promql(expression: str) -> None:
    promql_parser.parse(expression)


def test_the_dashboard_has_no_two_panels_in_one_place() -> None:
    """And each has an id and asks something."""
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    squares = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(squares)) == len(squares)
    assert all(panel["type"] == "row" or panel["targets"] for panel in panels)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_the_alerts_fire_when_they_should() -> None:
    for words in (["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"]):
        run = subprocess.run(["promtool", *words], cwd=RULES.parent, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


async def test_every_metric_asked_for_is_told_by_a_running_system(
    bus_settings: BusSettings, start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a gateway and a worker that have drawn one picture."""
    port = free_port()
    monkeypatch.setenv("EASEL_METRICS_PORT", str(port))
    async with start_gateway() as gateway, httpx.AsyncClient(timeout=60) as http:
        with WorkerProcess(bus_settings, "seen"):
            await offering(gateway)
            answer = await http.post(f"{gateway.url}/v1/images/generations", json={"model": "fake", "prompt": "x"})
            assert answer.status_code == 200
            told = (await http.get(f"{gateway.url}/metrics")).text
            told += (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    # declared is enough: what has happened to nobody yet has no sample
    have = set(re.findall(r"^# TYPE (\S+)", told, re.MULTILINE)) | set(
        re.findall(r"^([a-z_0-9]+)[{ ]", told, re.MULTILINE)
    )
    have |= {f"{name}_{end}" for name in have for end in ("bucket", "count", "total")}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = set.union(*map(names, queries() + [rule["expr"] for rule in rules()]))
    assert asked - have - recorded == set()


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed")
async def test_prometheus_answers_the_dashboard_with_data(
    bus_settings: BusSettings, start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A real one, which scrapes a real system while it draws."""
    port = free_port()
    monkeypatch.setenv("EASEL_METRICS_PORT", str(port))
    async with start_gateway() as gateway, httpx.AsyncClient(timeout=60) as http:
        with WorkerProcess(bus_settings, "seen"), prometheus(tmp_path, gateway.port, port) as url:
            await offering(gateway)
            body = {"model": "fake", "prompt": "x"}

            async def all_answered() -> bool:
                await http.post(f"{gateway.url}/v1/images/generations", json=body)
                return not await unanswered(http, url)

            with contextlib.suppress(TimeoutError):
                await eventually(all_answered, 90)
            assert await unanswered(http, url) == []


async def unanswered(http: httpx.AsyncClient, url: str) -> list[str]:
    """The panels' questions that Prometheus has no data for."""
    asked = [query for query in queries() if not names(query) & NEEDS_A_DEVICE]
    try:
        answers = await asyncio.gather(*(http.get(f"{url}/api/v1/query", params={"query": query}) for query in asked))
    except httpx.TransportError:
        return asked
    found = [answer.is_success and answer.json()["data"]["result"] for answer in answers]
    return [query for query, result in zip(asked, found, strict=True) if not result]


@contextlib.contextmanager
def prometheus(folder: Path, *targets: int) -> Iterator[str]:
    """One that asks these ports every second, with our rules; its address."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": "easel", "static_configs": [{"targets": [f"127.0.0.1:{target}" for target in targets]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], cwd=folder, stdout=log, stderr=log
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
