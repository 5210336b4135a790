"""Detects cores, memory and GPU memory."""

import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

import psutil

from rag.priority import usable_cores

_ASK_SECONDS = 5.0
BIG_GPU_BYTES = 8_000_000_000  # cards that are sold as 8 GB report a little less than 8 GiB


_SYSTEM_BYTES = 2_000_000_000  # the desk, its index and embedder take about one
_SYSTEM_SHARE = 0.15
_GPU_SHARE = 0.9  # the driver and the screen have the rest


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores that this process may use, memory, and the memory of the largest GPU (0: none)."""

    cores: int
    memory_bytes: int
    gpu_bytes: int

    @classmethod
    def here(cls) -> "Machine":
        """Return this machine."""
        return cls(usable_cores(), memory_bytes(), gpu_memory_bytes())

    @property
    def budget_bytes(self) -> int:
        """The memory for a model: nine tenths of a GPU, or the memory without that of the system and the desk."""
        if self.gpu_bytes:
            return int(self.gpu_bytes * _GPU_SHARE)
        return max(self.memory_bytes - max(_SYSTEM_BYTES, int(self.memory_bytes * _SYSTEM_SHARE)), 0)


def physical_cores() -> int:
    """Return the number of physical cores, which is the default number of a model's threads."""
    return min(usable_cores(), psutil.cpu_count(logical=False) or usable_cores())


def memory_bytes() -> int:
    """Return the machine's memory."""
    return int(psutil.virtual_memory().total)


@lru_cache(maxsize=1)
def gpu_memory_bytes() -> int:
    """Return the memory of the largest NVIDIA GPU as its driver's own program tells it; 0 where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    query = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0  # a driver that hangs or cannot start is no GPU to us
    mebibytes = [int(line) for line in answer.stdout.splitlines() if line.strip().isdigit()]
    return max(mebibytes, default=0) * (1 << 20) if answer.returncode == 0 else 0
