"""Installing from the distribution, or saying how to."""

import io
from pathlib import Path

import pytest

from rag.errors import ToolMissing
from rag.provisioning.console import Console
from rag.provisioning.system_packages import install_system_packages


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an apt-get on PATH that notes what it is told; it fails once ``fails`` exists beside it."""
    program = tmp_path / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ ! -e {tmp_path}/fails ]\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def install(folder: Path) -> str:
    out = io.StringIO()
    install_system_packages("stb_image.h", ["libstb-dev"], Console("en", out), folder / "logs" / "apt.log")
    return out.getvalue()


def test_root_gets_it_installed(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert install(apt) == "  installing with apt-get: libstb-dev\n"
    update, chosen = (apt / "calls").read_text().splitlines()
    assert update.endswith("update")
    assert chosen.endswith("install --yes --no-install-recommends libstb-dev")


def test_others_are_told_the_command(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ToolMissing, match=r"stb_image\.h is missing; install it with: sudo apt-get install --yes"):
        install(apt)
    assert not (apt / "calls").exists()


def test_a_failing_apt_names_its_log(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (apt / "fails").touch()
    with pytest.raises(ToolMissing, match=r"apt\.log"):
        install(apt)


def test_without_apt_the_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="libstb-dev"):
        install(tmp_path)
