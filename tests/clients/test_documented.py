"""The code on the pages of docs/clients, as it stands there, with this system's address, key and model."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients.conftest import NODE_MODULES
from tests.support.whole_system import System

PAGES = Path(__file__).parents[2] / "docs/clients"
PYTHON, OTHER, NODE, SHELL = "this_python", "other_python", "node", "shell"
RUNNERS = {
    "openai-python.md": PYTHON,
    "webuiapi.md": PYTHON,
    "mcp.md": PYTHON,
    "langchain.md": OTHER,
    "litellm.md": OTHER,
    "openai-node.md": NODE,
    "ai-sdk.md": NODE,
    "tools.md": SHELL,
    "pipeline.md": SHELL,
    "picker.md": SHELL,
}
_BLOCK = re.compile(r"^```(python|js|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def shell() -> str:
    return "bash"


@pytest.mark.parametrize("page", RUNNERS)
def test_the_code_on_a_page_runs(page: str, system: System, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kind = RUNNERS[page]
    program = request.getfixturevalue(kind)
    (block,) = _BLOCK.findall((PAGES / page).read_text())
    code = block[1].replace("http://127.0.0.1:8000", system.url).replace("YOUR_KEY", system.key)
    code = code.replace("pocket", "fake").replace("port=8000", f"port={urlsplit(system.url).port}")
    file = tmp_path / {NODE: "page.mjs", SHELL: "page.sh"}.get(kind, "page.py")
    file.write_text(code)
    if kind == NODE:
        (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    command = [program, *(("-eu", "-o", "pipefail") if kind == SHELL else ()), file.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_listed_and_its_code_is_run() -> None:
    """A page with code that nobody runs would be a promise that nobody keeps."""
    pages = {page.name: page.read_text() for page in PAGES.glob("*.md")}
    listed = set(re.findall(r"\]\(([a-z-]+\.md)\)", pages.pop("README.md")))
    assert listed == set(pages)
    assert {name for name, text in pages.items() if _BLOCK.search(text)} == set(RUNNERS)
