"""Processes that give way, for real."""

import subprocess
import sys
from pathlib import Path

import pytest

from rag.priority import MODEL_GIVES_WAY_BY, lower_priority

_TOLD = """
import os
from pathlib import Path
from rag.priority import lower_priority
lower_priority(7)
group = Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "none")
"""


@pytest.mark.real
def test_a_session_of_its_own_goes_behind() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _TOLD], capture_output=True, text=True, check=True, start_new_session=True
    )
    level, of_session = told.stdout.split()
    assert int(level) >= 7
    if Path("/proc/self/autogroup").exists():
        assert of_session == "7"


def test_what_the_kernel_refuses_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr("rag.priority.os.nice", refused)
    monkeypatch.setattr("rag.priority.os.open", refused)
    lower_priority(MODEL_GIVES_WAY_BY)
