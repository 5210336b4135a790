"""Writes the gRPC code that is made from ``api/grpc/answerdesk.proto``: ``python -m tests.support.protocol``."""

import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROTOCOL = "api/grpc/answerdesk.proto"
GENERATED = tuple(f"api/grpc/answerdesk_{name}" for name in ("pb2.py", "pb2.pyi", "pb2_grpc.py"))


def generate(folder: Path) -> int:
    """Write the generated modules below ``folder`` and return the compiler's exit code."""
    from grpc_tools import protoc  # type: ignore[import-untyped]  # comes with dev alone

    well_known = Path(protoc.__file__).with_name("_proto")
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    code: int = protoc.main(["protoc", f"-I{CHECKOUT}", f"-I{well_known}", *outputs, str(CHECKOUT / PROTOCOL)])
    return code


if __name__ == "__main__":
    sys.exit(generate(CHECKOUT))
