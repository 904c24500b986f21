"""What is in deploy/ and compose.yaml, read as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"


def kubernetes() -> list[dict[str, Any]]:
    """Every object of the base and the overlays; of overlays these are patches."""
    files = [path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"]
    return [found for path in sorted(files) for found in yaml.safe_load_all(path.read_text())]


def base(kind: str, name: str) -> dict[str, Any]:
    """One object of the base."""
    files = sorted((KUBERNETES / "base").glob("*.yaml"))
    objects = [found for path in files for found in yaml.safe_load_all(path.read_text())]
    return next(it for it in objects if it["kind"] == kind and it["metadata"]["name"] == name)


def compose() -> dict[str, Any]:
    """compose.yaml with its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def environments() -> list[tuple[str, str, str]]:
    """(where, variable, value) of everything that sets one of our variables."""
    found = []
    for name, service in compose()["services"].items():
        found += [(f"compose {name}", key, str(value)) for key, value in service.get("environment", {}).items()]
    for it in kubernetes():
        if it["kind"] == "ConfigMap":
            found += [(it["metadata"]["name"], key, value) for key, value in it["data"].items()]
        template = it.get("spec", {}).get("template", {}).get("spec", {})
        for container in template.get("containers", ()):
            found += [(container["name"], e["name"], e.get("value", "")) for e in container.get("env", ())]
    for path in ROOT.glob("**/Dockerfile"):
        words = path.read_text().replace("\\\n", " ").split()
        found += [(str(path), *word.split("=", 1)) for word in words if word.startswith("EASEL_") and "=" in word]  # type: ignore[misc]
    return [entry for entry in found if entry[1].startswith("EASEL_")]
