"""OpenVINO's import reports to nobody; import-linter sees to it that one module alone imports it."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]

# In a process of its own, with a reporter that would be found: what it is told is printed.
REPORTER = """
def __getattr__(name):
    print("imported", name)
    raise AttributeError(name)
class Telemetry:
    def __init__(self, **options): print("made")
    def send_event(self, *event): print("sent", *event)
"""


def said_on_import(module: str, folder: Path) -> str:
    package = folder / "openvino_telemetry"
    (package / "backend").mkdir(parents=True)
    (package / "__init__.py").write_text(REPORTER, encoding="utf-8")
    (package / "backend" / "__init__.py").write_text("backend_ga4 = None\n", encoding="utf-8")
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import {module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT, check=True)
    return done.stdout


@pytest.mark.real
def test_its_own_import_reports_and_ours_does_not(tmp_path: Path) -> None:
    assert "sent ov import" in said_on_import("openvino", tmp_path / "theirs"), (
        "the reporter is OpenVINO's way to report"
    )
    assert said_on_import("rag.retrieval.openvino_runtime", tmp_path / "ours") == ""
    assert said_on_import("rag.setup.embedder_files", tmp_path / "model") == ""


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_reporter_is_not_installed(lock: str) -> None:
    text = (CHECKOUT / lock).read_text(encoding="utf-8")
    assert "\nopenvino==" in text and "openvino-telemetry" not in text
