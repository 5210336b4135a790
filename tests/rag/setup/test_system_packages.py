"""Installing from the distribution, or saying how to."""

import io
from pathlib import Path

import pytest

from rag.errors import LinkInCache, ToolMissing
from rag.setup.console import Console
from rag.setup.system_packages import install_system_packages

APT = """#!/bin/sh
echo "$@" >> {folder}/calls
case "$*" in *--simulate*) printf "Inst libstb-dev (0.0 Debian)\\nInst libneeded1 (1.2)\\nConf libneeded1\\n";; esac
[ ! -e {folder}/fails ]
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an apt-get on PATH that notes what it is told; it fails once ``fails`` exists beside it."""
    program = tmp_path / "apt-get"
    program.write_text(APT.format(folder=tmp_path), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def install(folder: Path) -> str:
    out = io.StringIO()
    install_system_packages("stb_image.h", ["libstb-dev"], Console("en", out), folder / "logs" / "apt.log")
    return out.getvalue()


def test_root_gets_it_installed(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert install(apt) == (
        f"  installing libstb-dev with {apt}/apt-get, in all these packages: libstb-dev libneeded1\n"
    )
    update, planned, chosen = (apt / "calls").read_text().splitlines()
    assert update.endswith("update")
    assert planned.endswith("--simulate install --yes --no-install-recommends libstb-dev")
    assert chosen.endswith("--quiet install --yes --no-install-recommends libstb-dev")


def test_all_packages_are_told_before_the_first_is_installed(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    calls_when_told: list[str] = []

    class Terminal(io.StringIO):
        def write(self, text: str) -> int:
            calls_when_told.append((apt / "calls").read_text())
            return super().write(text)

    install_system_packages("stb_image.h", ["libstb-dev"], Console("en", Terminal()), apt / "logs" / "apt.log")
    assert "--quiet install" not in calls_when_told[0]


def test_its_log_is_not_written_through_a_link(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (apt / "logs").mkdir()
    (apt / "logs" / "apt.log").symlink_to(apt / "overwritten")
    with pytest.raises(LinkInCache, match=r"apt\.log is a link"):
        install(apt)
    assert not (apt / "overwritten").exists() and not (apt / "calls").exists()


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
