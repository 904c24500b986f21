"""Published clients, unmodified: each draws, edits, reads a fault, and streams and cancels where it can."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.timeout(300)

Run = Callable[..., None]


def test_openai_python_of_today(run_program: Run, this_python: str) -> None:
    run_program(this_python, "python/openai_images.py", "3")


def test_openai_python_2(run_program: Run, other_python: str) -> None:
    run_program(other_python, "python/openai_images.py", "2")


def test_webuiapi(run_program: Run, this_python: str) -> None:
    run_program(this_python, "python/webui.py")


def test_the_mcp_packages_client(run_program: Run, this_python: str) -> None:
    run_program(this_python, "python/mcp_tools.py")


def test_langchains_wrapper(run_program: Run, other_python: str) -> None:
    run_program(other_python, "python/langchain_wrapper.py")


def test_litellm(run_program: Run, other_python: str) -> None:
    run_program(other_python, "python/litellm_images.py")


def test_openai_node(run_program: Run, node: str) -> None:
    run_program(node, "node/openai_images.mjs")


def test_the_ai_sdk(run_program: Run, node: str) -> None:
    run_program(node, "node/ai_sdk.mjs")
