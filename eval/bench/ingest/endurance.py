"""The parts of the ingest's benchmark that need no encoder: an idle second run, memory, and death at any moment."""

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path

from eval.bench.ingest.child_processes import GeneratedVectors, run_child
from eval.bench.ingest.corpus import FORMATS, write_corpus
from eval.bench.ingest.targets import Result, kills_result, memory_result, unchanged_result
from ingest.check import check
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

Say = Callable[[str], None]

_MEMORY_FORMATS = ("md", "jsonl", "csv")
_CHUNKS_A_FILE = 5.8  # of these formats; measured
_SETTLED_SECONDS = 2.5  # files as young as their reading are read again
_KILLED_FILES = 60


def measure_unchanged(folder: Path, documents: int, seed: int, say: Say) -> Result:
    """Ingest Markdown twice in two processes; the second one's whole life counts, its start included."""
    say("writing corpus")
    write_corpus(folder / "corpus", documents, seed, formats=("md",))
    time.sleep(_SETTLED_SECONDS)
    say("ingesting")
    run_child("eval.bench.ingest.child_processes", folder / "corpus", folder / "data")
    say("ingesting again")
    again = run_child("eval.bench.ingest.child_processes", folder / "corpus", folder / "data")
    return unchanged_result(int(again["unchanged"]), int(again["embedded"]), again["seconds"], again["process_seconds"])


def measure_memory(folder: Path, chunks: int, seed: int, say: Say) -> Result:
    """Ingest a tenth of the chunks and all of them, each into an empty knowledge base in a process of its own."""
    sides = []
    for name, wanted in (("small", chunks // 10), ("large", chunks)):
        say("writing corpus")
        write_corpus(folder / name, round(wanted / _CHUNKS_A_FILE), seed, formats=_MEMORY_FORMATS)
        say("ingesting")
        found = run_child("eval.bench.ingest.child_processes", folder / name, folder / f"{name}-data")
        sides.append({key: int(found[key]) for key in ("chunks", "documents", "peak_bytes", "index_bytes")})
    return memory_result(*sides)


def measure_kills(folder: Path, kills: int, seed: int, say: Say, advance: Callable[[], None]) -> Result:
    """Kill an ingest at random moments of its life, look whether what is left is sound, and let the next one finish.

    Each begins with a copy of one knowledge base, whose files have since been changed, added and removed.
    """
    say("writing corpus")
    draw = random.Random(seed)
    corpus, origin = folder / "corpus", folder / "origin"
    write_corpus(corpus, _KILLED_FILES, seed, formats=FORMATS)
    with FileReader.of(Settings(data_dir=origin)) as reader:
        ingest([corpus], Settings(data_dir=origin), GeneratedVectors(), reader=reader)
        before = _documents(origin)
        shutil.rmtree(corpus)
        write_corpus(corpus, 2 * _KILLED_FILES, seed, formats=FORMATS)  # the same, and as many more
        for path in sorted(corpus.rglob("*.md"))[:10]:
            path.write_text(path.read_text(encoding="utf-8") + "\n\nOne line more.\n", encoding="utf-8")
        sorted(corpus.rglob("*.html"))[0].unlink()
        shutil.copytree(origin, folder / "whole")
        ingest(
            [corpus], Settings(data_dir=folder / "whole"), GeneratedVectors(), IngestOptions(prune=True), reader=reader
        )
        after = _documents(folder / "whole")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["eval.bench.ingest.endurance"])
        duration_seconds = _run(corpus, _fresh(origin, folder / "timed"), context, None)
        say("killing")
        clean, published, moments = 0, 0, []
        for _ in range(kills):
            moment_seconds = draw.uniform(0, duration_seconds)
            data_dir = _fresh(origin, folder / "killed")
            _run(corpus, data_dir, context, moment_seconds)
            moments.append(round(moment_seconds, 3))
            found = _documents(data_dir)
            published += found == after
            sound = found in (before, after) and not check(Settings(data_dir=data_dir).knowledge_dir).findings
            ingest([corpus], Settings(data_dir=data_dir), GeneratedVectors(), IngestOptions(prune=True), reader=reader)
            whole = _documents(data_dir) == after and not check(Settings(data_dir=data_dir).knowledge_dir).findings
            clean += sound and whole
            advance()
    return kills_result(
        clean,
        kills,
        seed=seed,
        duration_seconds=round(duration_seconds, 2),
        moments_seconds=moments,
        killed_after_publication=published,
        documents_before=len(before),
        documents_after=len(after),
    )


def _fresh(origin: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(origin, place))


def _run(corpus: Path, data_dir: Path, context: ForkServerContext, kill_after_seconds: float | None) -> float:
    """Ingest in another process, killed after a while if that is said; return how long it lived, once imported."""
    ready = context.Event()
    child = context.Process(target=_ingest, args=(corpus, data_dir, ready))
    child.start()
    ready.wait()
    began_at = time.perf_counter()
    child.join(kill_after_seconds)
    seconds = time.perf_counter() - began_at
    if child.is_alive() and child.pid is not None:
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    return seconds


def _ingest(corpus: Path, data_dir: Path, ready: Event) -> None:
    ready.set()
    ingest([corpus], Settings(data_dir=data_dir), GeneratedVectors(), IngestOptions(prune=True))


def _documents(data_dir: Path) -> dict[str, bytes]:
    """Return what the current generation holds: the hash of each document's content by its id."""
    store = KnowledgeStore(Settings(data_dir=data_dir).knowledge_dir)
    try:
        return {name: known.content_hash for name, known in store.origins(store.require_generation()).items()}
    finally:
        store.close()
