"""Generated code is what the generator makes of the sources today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("text2image_pb2.py", "text2image_pb2.pyi", "text2image_pb2_grpc.py")


def test_the_grpc_code_is_generated_from_the_proto_file(tmp_path: Path) -> None:
    """After a change: `make proto`."""
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    proto = "gateway/rpc/text2image.proto"
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I.", *out, proto], cwd=ROOT, check=True)
    for name in NAMES:
        made, kept = tmp_path / "gateway" / "rpc" / name, ROOT / "gateway" / "rpc" / name
        assert made.read_text() == kept.read_text(), name
