"""Locates the Ollama executable; ``rag/setup`` installs it."""

import json
import os
import platform
import shutil
from functools import lru_cache
from pathlib import Path

from rag.errors import OllamaNotInstalled
from rag.settings import Settings

OLLAMA_VERSION = "0.24.0"  # the last one that builds as a single Go module
RECORD_NAME = "installed.json"  # written last, so its presence says that the folder is whole

# The CPU kernels that Ollama's own build knows for x86-64, best first, and the flags of /proc/cpuinfo that each needs
# (ml/backend/ggml/ggml/src/CMakeLists.txt, ggml_add_cpu_backend_variant).
_AVX2 = frozenset(["avx2", "fma", "f16c", "bmi2"])
_AVX512 = _AVX2 | {"avx512f", "avx512cd", "avx512vl", "avx512dq", "avx512bw"}
_X86_VARIANTS: tuple[tuple[str, frozenset[str]], ...] = (
    ("icelake", _AVX512 | {"avx512vbmi", "avx512_vnni"}),
    ("alderlake", _AVX2 | {"avx_vnni"}),
    ("skylakex", _AVX512),
    ("haswell", _AVX2),
    ("sandybridge", frozenset(["avx"])),
    ("sse42", frozenset(["sse4_2"])),
)


@lru_cache(maxsize=1)
def _cpu_flags() -> frozenset[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return frozenset()
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def cpu_variant(flags: frozenset[str] | None = None, machine: str | None = None) -> str:
    """Return the name of the best kernels for this CPU, or ``native`` where Ollama's build has one kind only."""
    if (machine or platform.machine()).lower() not in {"x86_64", "amd64"}:
        return "native"
    present = _cpu_flags() if flags is None else flags
    return next((name for name, needed in _X86_VARIANTS if needed <= present), "native")


def has_amx(flags: frozenset[str] | None = None) -> bool:
    """Tell whether this CPU multiplies 8-bit matrices by itself (Intel's AMX, Xeons of 2023 and later)."""
    return "amx_int8" in (_cpu_flags() if flags is None else flags)


def built_folder(settings: Settings) -> Path:
    """Return the cache folder of an Ollama built here: its name holds the version, the CPU and the build's flags."""
    folder = _built_before_amx(settings)
    return folder.with_name(f"{folder.name}-amx") if has_amx() else folder


def _built_before_amx(settings: Settings) -> Path:
    """Return where earlier versions of set-up built; it serves until set-up runs again."""
    return settings.cache_dir / "ollama" / f"{OLLAMA_VERSION}-{platform.machine()}-{cpu_variant()}-repack"


def release_folder(settings: Settings) -> Path:
    """Return the cache folder of the official release."""
    return settings.cache_dir / "ollama" / f"{OLLAMA_VERSION}-{platform.machine()}-release"


def installed_folder(folder: Path) -> bool:
    """Tell whether a cache folder has a whole installation."""
    record = folder / RECORD_NAME
    if not record.is_file():
        return False
    binary = folder / json.loads(record.read_text(encoding="utf-8"))["binary"]
    return os.access(binary, os.X_OK)


def ollama_binary(folder: Path) -> Path:
    """Return the program of an installation for which ``installed_folder`` is true."""
    binary: str = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))["binary"]
    return folder / binary


def ollama_on_path() -> Path | None:
    """Return the user's own Ollama, if there is one."""
    found = shutil.which("ollama")
    return Path(found) if found else None


def find_ollama(settings: Settings) -> Path:
    """Return the program to start: the user's own, else the official release, else the one built here.

    Raises ``OllamaNotInstalled``.
    """
    own = ollama_on_path()
    if own is not None:
        return own
    for folder in (release_folder(settings), built_folder(settings), _built_before_amx(settings)):
        if installed_folder(folder):
            return ollama_binary(folder)
    raise OllamaNotInstalled


def models_folder(settings: Settings) -> Path | None:
    """Return the folder of Ollama's models; None leaves it to Ollama.

    A user's own Ollama has a store already, which a second one would only double.
    """
    named = os.environ.get("OLLAMA_MODELS")
    if named:
        return Path(named)
    return None if ollama_on_path() is not None else settings.cache_dir / "ollama-models"


def ollama_home(settings: Settings) -> Path | None:
    """Return the home folder of a started Ollama; None leaves it the user's own.

    Ollama keeps a key and a history there, a GPU's driver its cache.  The user's own Ollama has its home already.
    """
    return None if ollama_on_path() is not None else settings.cache_dir / "ollama" / "home"
