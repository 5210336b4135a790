"""A data folder of its own, for the commands of evaluations."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.settings import load_settings


@pytest.fixture
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the settings of this process name a data folder in ``tmp_path``, and commands say their words in English."""
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()
