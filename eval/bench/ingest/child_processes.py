"""Parts of the ingest's benchmark that need a process of their own: its memory, its start, or its death is measured.

``python -m eval.bench.ingest.child_processes FOLDER DATA_DIR`` ingests with generated vectors and prints what that
took.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ingest.pipeline import ingest
from rag.errors import SettingsError
from rag.protocols import PassageTokens, PassageVectors
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language
from rag.testing import HashEmbedder
from rag.translate import translate

DIMENSION = 384
_PACKAGES = Path(__file__).resolve().parents[3]


class GeneratedVectors(HashEmbedder):
    """Vectors of the real embedder's shape, drawn by a text's hash: no model, no meaning, no time."""

    def __init__(self) -> None:
        super().__init__(DIMENSION)

    @property
    def model_id(self) -> str:
        """Name of the fake vector space."""
        return f"generated-{DIMENSION}"

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return unit rows, and as many tokens as the text has words and ideographs."""
        vectors = np.empty((len(texts), DIMENSION), dtype=np.float32)
        tokens = []
        for row, text in zip(vectors, texts, strict=True):
            draw = np.random.default_rng(int.from_bytes(text.encode()[-64:], "little"))
            row[:] = draw.standard_normal(DIMENSION, dtype=np.float32)
            row /= np.linalg.norm(row)
            count = self.count_tokens(text)
            signs = np.frombuffer(draw.bytes(count * DIMENSION // 8), dtype=np.uint8).reshape(count, DIMENSION // 8)
            tokens.append(PassageTokens(draw.integers(250_000, size=count, dtype=np.int32), signs))
        return PassageVectors(vectors, tuple(tokens))


def run_child(module: str, *arguments: str | Path) -> dict[str, float]:
    """Run a module of this program in a new process and return the JSON that it prints, with ``process_seconds``.

    Raises ``SettingsError`` with its last words where it failed.
    """
    search_path = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
    began_at = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began_at
    if ended.returncode != 0:
        said = (ended.stderr.strip().splitlines() or ["-"])[-1]
        raise SettingsError(
            reason=translate(
                "bench_ingest.child failed", terminal_language(), what=module, code=ended.returncode, said=said
            )
        )
    figures: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return {**figures, "process_seconds": seconds}


def main(folder: Path, data_dir: Path) -> None:
    """Ingest a folder with generated vectors and print time, counts and the peak of memory."""
    settings = Settings(data_dir=data_dir)
    began_at = time.perf_counter()
    summary = ingest([folder], settings, GeneratedVectors())
    seconds = time.perf_counter() - began_at
    store = KnowledgeStore(settings.knowledge_dir)
    index_folder = store.generation_folder(summary.generation).parent
    figures = {
        "seconds": seconds,
        "documents": summary.documents,
        "chunks": summary.chunks,
        "embedded": summary.embedded,
        "unchanged": summary.unchanged,
        "failures": len(summary.failures),
        "peak_bytes": _peak_bytes(),
        "index_bytes": sum(path.stat().st_size for path in index_folder.rglob("*") if path.is_file()),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def _peak_bytes() -> int:
    """Return the most memory that this process ever held; ``getrusage`` would tell its parent's where that had more."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
