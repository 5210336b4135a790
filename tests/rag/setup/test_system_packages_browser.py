"""A browser for the tests of the page: found, installed, or named with the command."""

import io
from pathlib import Path

import pytest

from rag.errors import ToolMissing
from rag.settings import Settings
from rag.setup import system_packages
from rag.setup.console import Console, Outcome
from rag.setup.system_packages import find_chromium, provide_browser


class Machine:
    """Programs on PATH are files in ``folder``; apt-get would be told ``wanted``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wanted: list[str] = []
        self.unknown: set[str] = set()

    def put(self, name: str, says: str = "") -> None:
        (self.folder / name).write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def install(self, tool: str, packages: list[str], console: Console, log: Path) -> None:
        if self.unknown & set(packages):
            raise ToolMissing(tool=tool, command=f"apt-get install {packages[0]}")
        self.wanted += packages
        for package in packages:
            self.put(package)

    def provide(self) -> Outcome:
        return provide_browser(Settings(cache_dir=self.folder), Console("en", io.StringIO()))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(system_packages, "install_system_packages", made.install)
    return made


def test_what_is_there_is_left_alone(machine: Machine) -> None:
    machine.put("chromium")
    machine.put("fc-list", says="NotoSansCJK-Regular.ttc")
    assert machine.provide() == Outcome("Chromium", "here")
    assert machine.wanted == []


def test_what_is_missing_is_installed(machine: Machine) -> None:
    assert machine.provide() == Outcome("Chromium", "installed")
    assert machine.wanted == ["chromium-headless-shell", "fonts-noto-cjk"]


def test_a_distribution_without_the_browser_that_has_no_window_gives_the_other(machine: Machine) -> None:
    machine.unknown.add("chromium-headless-shell")
    assert machine.provide() == Outcome("Chromium", "installed")
    assert machine.wanted == ["chromium", "fonts-noto-cjk"]


def test_the_browser_that_has_no_window_comes_first(machine: Machine) -> None:
    assert find_chromium() is None
    machine.put("chromium")
    assert find_chromium() == str(machine.folder / "chromium")
    machine.put("chromium-headless-shell")
    assert find_chromium() == str(machine.folder / "chromium-headless-shell")


def test_letters_alone_may_be_missing(machine: Machine) -> None:
    machine.put("chromium")
    machine.put("fc-list")
    assert machine.provide().way == "installed"
    assert machine.wanted == ["fonts-noto-cjk"]


def test_a_distribution_whose_package_brings_no_program_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_packages, "install_system_packages", lambda *_: None)
    with pytest.raises(ToolMissing, match="apt-get install chromium"):
        machine.provide()
