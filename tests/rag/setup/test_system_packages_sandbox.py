"""bubblewrap and HumanEval's problems for ``eval code``: found, installed, or named with the command."""

import io
from pathlib import Path

import pytest

from rag.errors import ToolMissing
from rag.settings import Settings
from rag.setup import system_packages
from rag.setup.console import Console, Outcome
from rag.setup.packages import catalogue
from rag.setup.system_packages import provide_sandbox


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = tmp_path / "problems"
    folder.mkdir()
    (folder / catalogue().code_problems.file).write_bytes(b"fetched before")
    return Settings(cache_dir=tmp_path)


def _put_bwrap(folder: Path) -> None:
    (folder / "bwrap").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "bwrap").chmod(0o755)


def test_what_is_there_is_left_alone(settings: Settings) -> None:
    _put_bwrap(settings.cache_dir)
    assert provide_sandbox(settings, Console("en", io.StringIO())) == Outcome("bubblewrap", "here")


def test_what_is_missing_is_installed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[str] = []

    def install(tool: str, packages: list[str], console: Console, log: Path) -> None:
        wanted.extend(packages)
        _put_bwrap(settings.cache_dir)

    monkeypatch.setattr(system_packages, "install_system_packages", install)
    assert provide_sandbox(settings, Console("en", io.StringIO())).way == "installed"
    assert wanted == ["bubblewrap"]


def test_a_package_that_brings_no_program_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "install_system_packages", lambda *_: None)
    with pytest.raises(ToolMissing, match="apt-get install bubblewrap"):
        provide_sandbox(settings, Console("en", io.StringIO()))
