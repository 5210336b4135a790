"""What this machine has that decides which model fits: memory, and memory on a GPU."""

import shutil
import subprocess
from functools import lru_cache

import psutil

_ASK_SECONDS = 5.0
BIG_GPU_BYTES = 8_000_000_000  # cards that are sold as 8 GB report a little less than 8 GiB


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
