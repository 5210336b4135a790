"""Creates the virtual environment from the lock file: ``python3 rag/setup/environment.py run|dev``.

It runs before anything is installed, so it uses the standard library alone and imports nothing of its neighbours; its
sentences are in ``rag/locale/*/environment.toml``.
Packages are checked against the hashes in the lock.  uv installs them, in seconds where its cache has them; it is
fetched with pip, pinned by hash, where this machine lacks it.  A stamp in the environment spares a second run the work.

torch's build for CUDA is three quarters of the whole, and a machine without an NVIDIA GPU loads none of that.  So torch
comes as one of four builds, by ``ANSWERDESK_TORCH`` or, by default, by what the machine has (``_BUILDS``).
"""

from __future__ import annotations  # an older Python must get as far as the sentence that names it

import errno
import fcntl
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

CHECKOUT = Path(__file__).resolve().parent.parent.parent
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
_BOOTSTRAP_LOCK = Path(__file__).with_name("bootstrap.lock")
_OLDEST_PYTHON = (3, 11)
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_EXIT_CODE = 5  # that of a ProvisioningError
_INTERRUPTED = 130

_BUILDS = {"full": (7.1, 3.4), "trimmed": (5.8, 2.9), "cpu": (2.3, 0.6), "none": (1.6, 0.4)}
"""Builds of torch: GB installed and GB downloaded of requirements.lock, measured with torch 2.15.0 on x86-64 Linux.

``full`` is the lock as it is, ``trimmed`` leaves out what importing torch does not load, ``cpu`` is the build of
PyTorch's CPU index, ``none`` leaves torch out: the built-in embedder needs none."""
_CHOICES = ("auto", "cpu", "full", "none")
_CUDA = re.compile(r"nvidia-(?!ml-py$)|cuda-|triton$")  # nvidia-ml-py is ours: it measures a GPU's load
UNLOADED = frozenset({"triton", "cuda-bindings", "cuda-pathfinder", "nvidia-cusolver"})
"""Packages for GPUs that torch computes on a CPU without; a real test holds that."""
_SIGNS_OF_A_GPU = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"), Path("/dev/dxg"))  # the last: WSL
_PROBE = {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "1"}  # an index that does not answer is given up within seconds

_TOO_OLD = {
    "en": "Python 3.11 or newer is needed, and this is {found}; name one with: make PYTHON=/path/to/python3.11",
    "zh": "需要 Python 3.11 或更高版本，当前为 {found}；请用 make PYTHON=/path/to/python3.11 指定",
}


_COMMAND = """\
#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
# Written by rag/setup/environment.py. The shell runs the second line; to Python it is a string.
import sys
from pathlib import Path

# An environment that several checkouts share by a link runs the one that it is called from.
around = Path(__file__).absolute().parents[2]
sys.path.insert(0, str(around if (around / "ui" / "answerdesk.py").is_file() else {checkout!r}))

from ui.answerdesk import run

run()
"""


class EnvironmentFailed(Exception):
    """The environment could not be made; the text says why and what to do."""


def words(key: str, **values: object) -> str:
    """Return a sentence of ``rag/locale/*/environment.toml`` in the language of the terminal."""
    return template(f"environment.{key}", _language()).format(**values)


def template(key: str, language: str) -> str:
    """Return a sentence by ``catalogue.name``, as ``rag.translate`` does, which cannot be imported yet."""
    import tomllib  # came with Python 3.11

    catalogue, _, name = key.partition(".")
    file = CHECKOUT / "rag" / "locale" / language / f"{catalogue}.toml"
    return str(tomllib.loads(file.read_text(encoding="utf-8"))[name])


def _language() -> str:
    """Return the language of the terminal, by the rule of the C library."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def cache_folder() -> Path:
    """Return the folder of caches, by the rule of ``rag.settings``.  Raises ``EnvironmentFailed`` without a home."""
    named = os.environ.get("ANSWERDESK_CACHE_DIR") or "~/.cache/answerdesk"
    try:
        expanded = Path(named).expanduser()
    except RuntimeError as error:
        said = template("values.invalid_no_home", _language()).format(path=named)
        raise EnvironmentFailed(f"ANSWERDESK_CACHE_DIR: {said}") from error
    return expanded.resolve()


def make_environment(kind: str, checkout: Path = CHECKOUT) -> str:
    """Bring ``.venv`` up to date with the lock ``kind`` and return the key of the line to print.

    The environment for development holds all of the other, so it serves both.  Raises ``EnvironmentFailed``.
    """
    wanted = _wanted_torch()
    if _is_current(kind, checkout, wanted):
        _write_command(checkout)
        return "here"
    cache = cache_folder()
    _require_own(cache)
    with _lock(cache, checkout):
        if _is_current(kind, checkout, wanted):  # another process has just done it
            return "here"
        log = cache / "logs" / "environment.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        _open(log, os.O_TRUNC).close()
        uv = _Uv(_uv(cache, log), checkout, log, cache)
        if not uv.python.exists():
            uv.run("venv", "--quiet", "--clear", "--python", sys.executable, checkout / ".venv")
        build = _install(uv, checkout / LOCKS[kind], wanted)
        _write_command(checkout)
        _stamp(checkout).write_text(_stamp_text(_sum(checkout, kind), build), encoding="utf-8")
    size = _gigabytes(checkout / ".venv")
    _print_sentence(build, size=size, less=_BUILDS["full"][0] - _BUILDS[build][0])
    return "done"


class _Uv:
    """uv, as it works on the environment of one checkout."""

    def __init__(self, program: Path, checkout: Path, log: Path, cache: Path) -> None:
        self._program, self._cache = program, cache
        self.checkout, self.log = checkout, log
        self.python = checkout / ".venv" / "bin" / "python"

    def run(self, *arguments: str | Path) -> None:
        """Run it.  Raises ``EnvironmentFailed``."""
        _run([self._program, *arguments], self.log, self._cache)

    def sync(self, lock: Path) -> None:
        """Install the packages of a lock, and remove all others.  Raises ``EnvironmentFailed``."""
        self.run("pip", "sync", *self._install_options(), lock)

    def add(self, lock: Path, *index: str) -> None:
        """Install the packages of a lock from an index, without dependencies.  Raises ``EnvironmentFailed``."""
        self.run("pip", "install", "--no-deps", *self._install_options(), *index, "--requirement", lock)

    def lock(self, requirement: str, *index: str) -> str:
        """Return a requirement with the hashes that an index has for it, empty where the index fails."""
        options = ["--quiet", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
        line = [str(self._program), "pip", "compile", *options, "--python", str(self.python), *index, "-"]
        with _open(self.log, os.O_APPEND) as output:
            return subprocess.run(
                line, input=requirement, stdout=subprocess.PIPE, stderr=output, text=True, check=False,
                env={**_environment(self._cache), **_PROBE},
            ).stdout  # fmt: skip

    def _install_options(self) -> list[str]:
        return ["--require-hashes", "--compile-bytecode", "--python", str(self.python)]


def _install(uv: _Uv, lock: Path, wanted: str) -> str:
    """Install a lock with the wanted build of torch and return which one it became.  Raises ``EnvironmentFailed``."""
    text = lock.read_text(encoding="utf-8")
    torch = re.search(r"^torch==([^\s;\\]+)", text, re.MULTILINE)
    index = _cpu_index()
    build, cpu_lock = "full", ""
    if torch is not None and wanted != "full" and sys.platform == "linux":  # elsewhere the lock's torch has no CUDA
        build = "none"
        if wanted != "none":
            _print_sentence("probing")
            cpu_lock = uv.lock(f"torch=={torch[1]}+cpu\n", *index)
            build = "cpu" if cpu_lock.strip() else "trimmed"
        if wanted == "cpu" and build != "cpu":
            raise EnvironmentFailed(
                words("no_cpu_build", version=torch[1], reason=_last_line(uv.log) or "–", log=uv.log)
            )
    _print_sentence("installing", gigabytes=_BUILDS[build][1])
    _stamp(uv.checkout).unlink(missing_ok=True)
    if build == "full":
        uv.sync(lock)
        return build
    with tempfile.TemporaryDirectory(prefix="answerdesk-") as folder:
        reduced, added = Path(folder) / lock.name, Path(folder) / "torch-cpu.lock"
        reduced.write_text(without_packages(text, build), encoding="utf-8")
        uv.sync(reduced)
        if build == "cpu":
            added.write_text(cpu_lock, encoding="utf-8")
            uv.add(added, *index)
    return build


def without_packages(lock: str, build: str) -> str:
    """Return a lock without the packages that a build of torch does without."""
    kept = []
    leaving = False
    for line in lock.splitlines(keepends=True):
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
        if name is not None:  # the hashes below a package are indented
            leaving = name[0] in UNLOADED if build == "trimmed" else name[0] == "torch" or bool(_CUDA.match(name[0]))
        if not leaving:
            kept.append(line)
    return "".join(kept)


def _wanted_torch() -> str:
    """Return ``full``, ``cpu``, ``none``, or ``auto`` for a build without CUDA."""
    chosen = os.environ.get("ANSWERDESK_TORCH", "").strip().lower() or "auto"
    if chosen not in _CHOICES:
        raise EnvironmentFailed(words("choice", found=chosen, choices=", ".join(_CHOICES)))
    return "full" if chosen == "auto" and any(sign.exists() for sign in _SIGNS_OF_A_GPU) else chosen


def _cpu_index() -> tuple[str, str]:
    """Return the options of uv that name the index of CPU builds: the user's, or PyTorch's own, which uv knows."""
    named = os.environ.get("ANSWERDESK_TORCH_INDEX", "").strip()
    return ("--default-index", named) if named else ("--torch-backend", "cpu")


def _gigabytes(folder: Path) -> float:
    """Return the size of a folder's files, in 10^9 bytes."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e9


def _write_command(checkout: Path) -> None:
    """Write ``.venv/bin/answerdesk``, which runs the checkout's code: nothing has to be built or installed for it."""
    command = checkout / ".venv" / "bin" / "answerdesk"
    python = shlex.quote(str(checkout / ".venv" / "bin" / "python"))
    text = _COMMAND.format(python=python, checkout=str(checkout))
    if command.is_file() and command.read_text(encoding="utf-8") == text:
        return
    partial = command.with_name(f"answerdesk.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o755)
    partial.replace(command)


def _stamp(checkout: Path) -> Path:
    return checkout / ".venv" / "answerdesk.stamp"


def _sum(checkout: Path, kind: str) -> str:
    return hashlib.sha256((checkout / LOCKS[kind]).read_bytes()).hexdigest()


def _stamp_text(lock_sum: str, build: str) -> str:
    return lock_sum if build == "full" else f"{lock_sum} {build}"


def _is_current(kind: str, checkout: Path, wanted: str) -> bool:
    """Tell whether the environment is that of the lock, with a build of torch that serves.

    By default any does that can: what was chosen, or what the index had then, is not exchanged behind the user's back.
    """
    stamp = _stamp(checkout)
    if not stamp.is_file() or not (checkout / ".venv" / "bin" / "python").exists():
        return False
    able = [build for build in _BUILDS if build != "none" or kind == "run"]  # tests compare with the reference embedder
    builds = able if wanted == "auto" else [wanted]
    sums = [_sum(checkout, "dev")] + ([_sum(checkout, "run")] if kind == "run" else [])
    return stamp.read_text(encoding="utf-8") in {_stamp_text(one, build) for one in sums for build in builds}


def _require_own(cache: Path) -> None:
    """Make the cache folder for this user alone.  Raises ``EnvironmentFailed`` if it cannot be."""
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (FileExistsError, NotADirectoryError) as error:
        raise EnvironmentFailed(words("no_folder", path=cache)) from error
    found = cache.stat()
    if found.st_uid not in (0, os.geteuid()):
        raise EnvironmentFailed(words("others", path=cache))
    if found.st_mode & _WRITABLE_BY_OTHERS:
        cache.chmod(stat.S_IMODE(found.st_mode) & ~_WRITABLE_BY_OTHERS)
        _print_sentence("write_ended", path=cache)


def _open(path: Path, how: int) -> BinaryIO:
    """Open a log or a lock for writing, and not through a link.  Raises ``EnvironmentFailed``."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise EnvironmentFailed(words("link", path=path)) from error
        raise
    return os.fdopen(descriptor, "wb")


@contextmanager
def _lock(cache: Path, checkout: Path) -> Iterator[None]:
    """Let one process at a time work on the environment of this checkout."""
    folder = cache / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(checkout).encode()).hexdigest()[:12]
    with _open(folder / f"environment-{name}.lock", os.O_TRUNC) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _print_sentence("waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _uv(cache: Path, log: Path) -> Path:
    """Return uv: the one on PATH, else one of our own."""
    on_path = shutil.which("uv")
    if on_path is not None and subprocess.run([on_path, "--version"], capture_output=True, check=False).returncode == 0:
        _print_sentence("uv", path=on_path)
        return Path(on_path)
    folder = cache / "build-tools" / "wheels" / "uv"
    if not folder.is_dir():
        partial = folder.with_name("uv.part")
        shutil.rmtree(partial, ignore_errors=True)
        options = ["--require-hashes", "--only-binary=:all:", "--no-deps", "--no-input", "--quiet"]
        _run([*_pip(), "install", *options, f"--target={partial}", f"--requirement={_BOOTSTRAP_LOCK}"], log, cache)
        partial.rename(folder)
    return folder / "bin" / "uv"


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    on_path = shutil.which("pip3") or shutil.which("pip")
    if on_path is not None:
        return [on_path]
    if importlib.util.find_spec("ensurepip") is None:
        raise EnvironmentFailed(words("pip"))
    import ensurepip  # brings pip as a wheel, which Python runs as it is

    bundled = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"), None)
    if bundled is None:
        raise EnvironmentFailed(words("pip"))
    return [sys.executable, str(bundled / "pip")]


def _run(command: Sequence[str | Path], log: Path, cache: Path) -> None:
    """Run a program; its output goes to the terminal, if there is one, or else to ``log``."""
    line = [str(part) for part in command]
    with _open(log, os.O_APPEND) as output:
        shown = None if sys.stderr.isatty() else output
        code = subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=output, stderr=shown, env=_environment(cache), check=False
        ).returncode
    if code != 0:
        raise EnvironmentFailed(words("failed", reason=_last_line(log) or f"exit code {code}", log=log))


def _last_line(log: Path) -> str:
    """Return the last line of a log, empty if there is none."""
    lines = [text.strip() for text in log.read_text(encoding="utf-8", errors="replace").splitlines() if text.strip()]
    return lines[-1] if lines else ""


def _environment(cache: Path) -> dict[str, str]:
    """Return the environment of uv: its cache among ours, and the package index that pip has been told."""
    environment = {"UV_CACHE_DIR": str(cache / "uv"), **os.environ}
    if not sys.stderr.isatty():
        environment["UV_NO_PROGRESS"] = "1"
    for name in ("VIRTUAL_ENV", "UV_TORCH_BACKEND"):  # the latter would give torch from where the lock's hashes are not
        environment.pop(name, None)
    named = {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX"} & environment.keys()
    index = "" if named else _index_of_pip()
    return {**environment, "UV_DEFAULT_INDEX": index} if index else environment


def _index_of_pip() -> str:
    """Return the index that pip uses here, such as a network's own mirror: uv does not read pip's files."""
    if "PIP_INDEX_URL" in os.environ:
        return os.environ["PIP_INDEX_URL"]
    try:
        command = [*_pip(), "config", "get", "global.index-url"]
    except EnvironmentFailed:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _print_sentence(key: str, **values: object) -> None:
    sys.stdout.write(f"{words(key, **values)}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Make the environment and return the exit code."""
    started_at = time.monotonic()
    if sys.version_info < _OLDEST_PYTHON:
        sys.stderr.write(f"{_TOO_OLD[_language()].format(found=sys.version.split()[0])}\n")
        return _EXIT_CODE
    try:
        key = make_environment(arguments[0] if arguments else "run")
    except EnvironmentFailed as error:
        sys.stderr.write(f"{error}\n")
        return _EXIT_CODE
    except KeyboardInterrupt:
        return _INTERRUPTED
    _print_sentence(key, seconds=time.monotonic() - started_at)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
