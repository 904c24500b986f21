"""Kubernetes' and compose's files say what the code and the clusters understand."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cli.launcher.services import SERVICES
from contracts.subjects import Subjects
from gateway.settings import GatewaySettings
from runtime.process.settings import known_names
from runtime.worker.loop import HAND_BACK_S
from services.axera_edge.settings import EdgeSettings
from services.enhancer.settings import EnhancerSettings
from tests.operations.manifests import KUBERNETES, base, compose, environments, kubernetes

OWN_KINDS = {"ScaledObject"}
"""Not Kubernetes' own: checked below."""


RENDER = next(
    ([*words] for words in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(words[0])), None
)


def _id(it: dict[str, Any]) -> str:
    return f"{it['kind']}-{it['metadata']['name']}"


def _whole() -> list[dict[str, Any]]:
    """The objects that are no patches."""
    return [it for it in kubernetes() if it.get("spec", {}).get("selector") or it["kind"] != "Deployment"]


@pytest.mark.parametrize("it", [it for it in _whole() if it["kind"] not in OWN_KINDS], ids=_id)
def test_every_object_is_what_kubernetes_takes(it: dict[str, Any]) -> None:
    """Strictly: a field that it does not know is a fault."""
    kubernetes_validate.validate(it, "1.37", strict=True)


def test_every_file_is_part_of_a_kustomization_and_every_patch_has_its_object() -> None:
    listed = set()
    for path in KUBERNETES.rglob("kustomization.yaml"):
        said = yaml.safe_load(path.read_text())
        listed |= {path.parent / name for name in said.get("resources", ()) if name.endswith(".yaml")}
        patches = [path.parent / patch["path"] for patch in said.get("patches", ())]
        listed |= set(patches)
        for patch in patches:
            it = yaml.safe_load(patch.read_text())
            target = base(it["kind"], it["metadata"]["name"])
            names = [container["name"] for container in target["spec"]["template"]["spec"]["containers"]]
            assert [c["name"] for c in it["spec"]["template"]["spec"]["containers"]] == names
    files = {path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"}
    assert listed == files


def test_every_variable_is_one_that_the_code_reads() -> None:
    kinds = [kind for service in SERVICES for kind in service.settings()]
    known = known_names(*kinds, EdgeSettings, EnhancerSettings)
    assert [entry for entry in environments() if entry[1] not in known] == []


@pytest.mark.skipif(not RENDER, reason="neither kustomize nor kubectl is installed")
def test_https_as_far_as_the_pods_can_be_added_to_an_overlay(tmp_path: Path) -> None:
    assert RENDER
    copy = shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    overlay = copy / "overlays/cpu/kustomization.yaml"
    overlay.write_text(overlay.read_text() + "components: [../../components/https]\n")
    run = subprocess.run([*RENDER, str(overlay.parent)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    gateway = {_id(it): it for it in yaml.safe_load_all(run.stdout)}["Deployment-gateway"]
    kubernetes_validate.validate(gateway, "1.37", strict=True)
    container = gateway["spec"]["template"]["spec"]["containers"][0]
    probes = [container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")]
    assert [probe["httpGet"]["scheme"] for probe in probes] == ["HTTPS"] * 3
    assert all("periodSeconds" in probe for probe in probes)
    assert "EASEL_GATEWAY_TLS_CERT" in [entry["name"] for entry in container["env"]]


@pytest.mark.parametrize("overlay", sorted(path.name for path in (KUBERNETES / "overlays").iterdir()))
@pytest.mark.skipif(not RENDER, reason="neither kustomize nor kubectl is installed")
def test_every_overlay_renders_to_objects_that_kubernetes_takes(overlay: str) -> None:
    """Merged by Kustomize itself; the overlay of an accelerator asks for one."""
    assert RENDER
    run = subprocess.run([*RENDER, str(KUBERNETES / "overlays" / overlay)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    objects = {_id(it): it for it in yaml.safe_load_all(run.stdout)}
    for it in objects.values():
        if it["kind"] not in OWN_KINDS:
            kubernetes_validate.validate(it, "1.37", strict=True)
        assert it["kind"] == "Namespace" or it["metadata"]["namespace"] == "easel"
    container = objects["Deployment-diffusion"]["spec"]["template"]["spec"]["containers"][0]
    accelerators = set(container["resources"]["limits"]) - {"memory"}
    assert bool(accelerators) == (overlay != "cpu")
    assert "EASEL_WORKER_POOL" in [entry["name"] for entry in container["env"]]


def test_the_autoscaler_looks_at_the_pools_own_queue() -> None:
    """A consumer that is not there would have it start all the workers that it may."""
    trigger = base("ScaledObject", "diffusion")["spec"]["triggers"][0]
    subjects = Subjects("easel")
    pool = _environment("diffusion")["EASEL_WORKER_POOL"]
    assert trigger["type"] == "nats-jetstream"
    assert set(trigger["metadata"]) == {
        "natsServerMonitoringEndpoint",
        "account",
        "stream",
        "consumer",
        "lagThreshold",
        "activationLagThreshold",
    }
    assert trigger["metadata"]["stream"] == subjects.jobs_stream
    assert trigger["metadata"]["consumer"] == subjects.consumer(pool)
    assert _environment("standby")["EASEL_WORKER_POOL"] == pool
    assert _environment("standby")["EASEL_DIFFUSION_MODELS"] == _environment("diffusion")["EASEL_DIFFUSION_MODELS"]


def test_pods_get_longer_to_end_than_the_process_takes() -> None:
    worker = base("Deployment", "diffusion")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert worker > float(_environment("diffusion")["EASEL_WORKER_SOFT_STOP_S"]) + HAND_BACK_S
    enhancer = base("Deployment", "enhancer")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert enhancer > float(_environment("enhancer")["EASEL_WORKER_SOFT_STOP_S"]) + HAND_BACK_S
    gateway = base("Deployment", "gateway")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert gateway > float(_environment("gateway")["EASEL_GATEWAY_SOFT_STOP_S"]) + 5  # and preStop
    assert GatewaySettings().soft_stop_s == 60


def test_as_many_copies_are_asked_for_as_there_are_servers() -> None:
    assert base("ConfigMap", "easel-bus")["data"]["EASEL_NATS_REPLICAS"] == "3"
    assert base("StatefulSet", "nats")["spec"]["replicas"] == 3


USERS = {"gateway": "gateway", "diffusion": "diffusion", "standby": "diffusion", "enhancer": "enhancer"}


@pytest.mark.parametrize(("deployment", "user"), USERS.items())
def test_each_pod_has_the_key_of_its_own_user_alone_and_speaks_tls(deployment: str, user: str) -> None:
    bus = base("ConfigMap", "easel-bus")["data"]
    assert all(address.startswith("tls://") for address in bus["EASEL_NATS_URL"].split(","))
    pod = base("Deployment", deployment)["spec"]["template"]["spec"]
    secrets = [
        (source["secret"]["name"], item["key"], item["path"])
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
        for item in source["secret"]["items"]
    ]
    assert secrets == [("easel-bus", f"{user}.nk", "bus.nk"), ("easel-bus-tls", "ca.crt", "ca.crt")]
    assert (bus["EASEL_NATS_NKEY"], bus["EASEL_NATS_CA"]) == ("/run/secrets/bus/bus.nk", "/run/secrets/bus/ca.crt")
    assert _environment(deployment).get("EASEL_NATS_USER", "gateway") == user


def test_under_compose_each_service_has_the_key_of_its_own_user_alone() -> None:
    """The one that makes them ends before the others start, and reaches nobody."""
    services = compose()["services"]
    for name, service in services.items():
        held = {volume.split(":")[0] for volume in service.get("volumes", ()) if volume.startswith("bus-")}
        user = "diffusion" if name.startswith("diffusion") else name
        if name == "bus-keys":
            assert held == {volume for volume in compose()["volumes"] if volume.startswith("bus-")}
            assert service["network_mode"] == "none"
        else:
            assert held == ({f"bus-{user}"} if user in {"nats", "edge", *USERS} else set()), name
        if "EASEL_NATS_URL" in service.get("environment", {}):
            given = service["environment"]
            assert given.get("EASEL_NATS_USER", "") == (user if user in {"diffusion", "enhancer"} else "")
            assert (given.get("EASEL_NATS_RESTRICTED") == "true") == (user == "edge")


def test_no_container_may_do_what_it_does_not_need() -> None:
    """Under Kubernetes and under compose."""
    for it in _whole():
        for container in it.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
            allowed = container["securityContext"]
            assert allowed["readOnlyRootFilesystem"], _id(it)
            assert not allowed["allowPrivilegeEscalation"], _id(it)
            assert allowed["capabilities"] == {"drop": ["ALL"]}, _id(it)
            assert "memory" in container["resources"]["limits"], _id(it)
    for name, service in compose()["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
    published = itertools.chain.from_iterable(service.get("ports", ()) for service in compose()["services"].values())
    assert all(port.startswith("${EASEL_PUBLISH:-127.0.0.1}:") for port in published)


def test_every_image_runs_as_nobody_and_has_a_health_check() -> None:
    root = Path(__file__).parents[2]
    files = sorted(root.glob("*/Dockerfile")) + sorted(root.glob("*/*/Dockerfile"))
    assert len(files) >= 4
    for path in files:
        text = path.read_text()
        assert "\nUSER 10001:10001\n" in text, path
        assert "\nHEALTHCHECK " in text, path


def _environment(deployment: str) -> dict[str, str]:
    container = base("Deployment", deployment)["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}
