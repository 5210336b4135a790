"""No pattern of the product takes long on any text: all are found, and fuzzed to 100,000 characters."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROCESSES = 2
LEAST_PATTERNS = 300  # a test that finds fewer has lost its way to them


@pytest.mark.slow
def test_every_pattern_takes_little_time_that_grows_with_its_text() -> None:
    """A program of its own sees what is compiled while modules are imported, and can be ended where one gets stuck.

    It finds the patterns once, which takes a fifth of its time, and shares them out to processes.
    """
    run = subprocess.run(
        [sys.executable, "-m", "tests.pattern_fuzz", str(PROCESSES), str(ROOT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    first, *measured, last = map(json.loads, run.stdout.splitlines())
    assert last["done"]
    assert first["found"] >= LEAST_PATTERNS
    assert first["not_imported"] == [], "what a module compiles is seen when it is imported"
    assert first["unknown"] == [], "patterns that only a run can tell: let _exercise run them, or make them constants"
    assert len(measured) == first["found"]
    slow = {one["places"][0]: one["broken"] for one in measured if one["broken"]}
    assert not slow, json.dumps(slow, indent=1, ensure_ascii=False)
