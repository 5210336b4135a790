"""The first page does not wait for the libraries of the indexes."""

import subprocess
import sys

import pytest


@pytest.mark.real
def test_the_pages_are_imported_without_the_indexes_libraries() -> None:
    code = "import sys, ui.app; print([name for name in ('faiss', 'openvino', 'ollama') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
