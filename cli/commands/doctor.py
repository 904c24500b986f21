"""`easel doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict

from cli.doctor.finding import Finding, Verdict
from cli.faults import CliError, ExitCode
from cli.options import DEFAULT_URL, AsJson, Url
from cli.output import result, result_json

_MARKS = {Verdict.OK: "ok   ", Verdict.NOTE: "note ", Verdict.FAULT: "FAULT"}
_NAME_WIDTH = 9


def doctor(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Say what is wrong here, and what to do about it.

    Looks at Python, memory, disk, settings, ports, the bus, the gateway, its workers, the devices, and which engine was
    found to be the faster. Changes nothing.
    Ends with 1 when something must be mended before a picture can be drawn.
    """
    findings = []
    for finding in _examine(url):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        result_json({"findings": [asdict(finding) for finding in findings]})
    faults = sum(finding.verdict is Verdict.FAULT for finding in findings)
    if faults:
        raise CliError(ExitCode.INTERNAL, f"{faults} of {len(findings)} checks found a fault")


def _examine(url: str) -> Iterator[Finding]:
    from cli.doctor import machine, system

    yield machine.python()
    yield machine.memory()
    yield machine.disk(system.data_dir(os.environ))
    yield system.settings(os.environ)
    yield system.bus(os.environ)
    yield from system.gateway(url)
    yield machine.devices()
    yield machine.engines(os.environ)


def _print(finding: Finding) -> None:
    result(f"{_MARKS[finding.verdict]}  {finding.name.ljust(_NAME_WIDTH)}  {finding.said}")
    if finding.advice:
        result(f"{'':16}  {finding.advice}")
