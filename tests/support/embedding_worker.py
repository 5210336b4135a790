"""A worker with a fake embedder: ``python -m tests.support.embedding_worker KIND``.

It is ``python -m ingest.worker`` but for its embedder; KIND is a key of ``KINDS``, or ``old`` for another version.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import rag
from ingest.worker import main
from rag.protocols import Embedder, PassageVectors
from rag.testing import HashEmbedder

ROOT = Path(__file__).resolve().parents[2]
_BATCH_SECONDS = 0.1


class SlowEmbedder(HashEmbedder):
    """Takes a while for each batch, without a processor."""

    def __init__(self, dimension: int = 64, seconds: float = _BATCH_SECONDS) -> None:
        super().__init__(dimension)
        self.seconds = seconds
        self.passages = 0

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        time.sleep(self.seconds)
        self.passages += len(texts)
        return super().embed_passages(texts)


class BrokenEmbedder(HashEmbedder):
    """Returns vectors that are not of length 1."""

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        sound = super().embed_passages(texts)
        return PassageVectors(sound.vectors * np.float32(1.01), sound.tokens)


class StuckEmbedder(HashEmbedder):
    """Never comes to an end."""

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        time.sleep(600)
        return super().embed_passages(texts)


KINDS: dict[str, Embedder] = {
    "sound": SlowEmbedder(),
    "slow": SlowEmbedder(seconds=2.0),
    "stuck": StuckEmbedder(),
    "broken": BrokenEmbedder(),
    "other": HashEmbedder(32),
    "old": HashEmbedder(),
}


@contextmanager
def working(environment: dict[str, str], kind: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a worker and give it as soon as it waits for jobs; kill it at the end.  Its words are on ``stderr``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.embedding_worker", kind],
        cwd=ROOT, env={**environment, "ANSWERDESK_EMBEDDER_THREADS": "1", "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None and "Ctrl-C ends it" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def name_of(process: "subprocess.Popen[str]") -> str:
    """Return what people are told of a worker."""
    return f"{os.uname().nodename}:{process.pid}"


if __name__ == "__main__":
    if sys.argv[1] == "old":
        rag.__version__ = "0.0.1"
    sys.exit(main(["--json"], lambda settings: KINDS[sys.argv[1]]))
