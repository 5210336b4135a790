"""Runs ``python -m rag`` as a user does: a process of its own, with an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
BESIDE_OTHER_TESTS = {
    "ANSWERDESK_FIRST_TOKEN_TIMEOUT_SECONDS": "250",
    "ANSWERDESK_TOKEN_TIMEOUT_SECONDS": "120",
    "ANSWERDESK_MODEL_THREADS": "1",
}
"""Settings of a model on a machine that runs other tests as well: patience, and no thread that waits for their core."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "ANSWERDESK_CACHE_DIR") if name in os.environ}
    return {**kept, "LANG": "en_GB.UTF-8", "ANSWERDESK_DATA_DIR": str(data_dir), **more}


def run_rag(*arguments: str, env: Mapping[str, str], stdin: bytes = b"", timeout: float = 280) -> Ran:
    """Run the command to its end, and make sure that it ends in words and not in a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "rag", *arguments],
        cwd=CHECKOUT,
        env=dict(env),
        input=stdin,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ran.err + ran.out, ran.err
    return ran
