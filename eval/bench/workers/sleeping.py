"""An embedder that sleeps as long as a core needs, and a worker with it: machines that do not share this one's cores.

``python -m eval.bench.workers.sleeping`` is ``python -m ingest.worker`` but for that.
"""

import sys
import time
from collections.abc import Sequence

from eval.bench.ingest.child_processes import GeneratedVectors
from ingest.worker import main
from rag.private_files import keep_files_private
from rag.protocols import PassageVectors

PASSAGES_A_SECOND = 40.0
"""Of one core; measured with the real embedder, whose vectors and tokens have the size of these."""


class SleepingEmbedder(GeneratedVectors):
    """Vectors drawn by chance, a batch in the time that a core needs for it."""

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return them, not before it is time."""
        until = time.monotonic() + len(texts) / PASSAGES_A_SECOND
        found = super().embed_passages(texts)
        time.sleep(max(0.0, until - time.monotonic()))
        return found


if __name__ == "__main__":
    keep_files_private()
    sys.exit(main([], lambda settings: SleepingEmbedder()))
