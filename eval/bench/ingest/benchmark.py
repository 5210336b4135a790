"""The parts of the ingest's benchmark, and the bars that they are held against.

With the real embedder: how near the ingest comes to the encoder's own speed.  Without: an idle second run, memory, and
death at any moment.
"""

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Literal, get_args

from eval.bench.ingest.child_processes import GeneratedVectors, run_child
from eval.bench.ingest.corpus import FORMATS, write_corpus
from ingest.check import check
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader
from ingest.summary import IngestSummary
from rag.priority import usable_cores
from rag.protocols import Embedder
from rag.retrieval.model_folders import read_identity, reference_folder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

PartName = Literal["encoder", "langchain", "unchanged", "memory", "kills"]
PARTS: tuple[PartName, ...] = get_args(PartName)

ENCODER_SHARE = 0.92
LANGCHAIN_RATIO = 3.0
UNCHANGED_SECONDS = 5.0
MEMORY_RATIO = 1.3

Say = Callable[[str], None]

_CHUNKS_A_FILE = {True: 4.6, False: 2.3}  # mixed formats, Markdown alone; measured
_BATCH = 32

_MEMORY_FORMATS = ("md", "jsonl", "csv")
_CHUNKS_A_MEMORY_FILE = 5.8  # of these formats; measured
_SETTLED_SECONDS = 2.5  # files as young as their reading are read again
_KILLED_FILES = 60


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.  Scale 1 is what the bars ask for; a smaller one is a quick look."""

    chunks: int = 2000
    unchanged_documents: int = 10_000
    memory_chunks: int = 100_000
    kills: int = 60

    @classmethod
    def scaled(cls, scale: float) -> "Sizes":
        """Return the sizes times ``scale``, in (0, 1].

        >>> Sizes.scaled(0.01).kills
        1
        """
        if not 0 < scale <= 1:
            raise ValueError(f"scale must be above 0 and at most 1, not {scale}")
        whole = cls()
        return cls(
            chunks=max(40, round(whole.chunks * scale)),
            unchanged_documents=max(40, round(whole.unchanged_documents * scale)),
            memory_chunks=max(400, round(whole.memory_chunks * scale)),
            kills=max(1, round(whole.kills * scale)),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One part: what came out, in the bar's own unit, whether that is enough, and all the numbers behind it."""

    part: PartName
    shown: str
    bar: str
    met: bool
    figures: Mapping[str, object]


def encoder_result(chunks: int, ingest_seconds: float, encoder_seconds: float, **more: object) -> Result:
    """Compare chunks a second end to end with the encoder alone on the same chunks."""
    share = encoder_seconds / ingest_seconds
    figures = {
        "chunks": chunks,
        "chunks_per_second": round(chunks / ingest_seconds, 2),
        "encoder_chunks_per_second": round(chunks / encoder_seconds, 2),
        "ingest_seconds": round(ingest_seconds, 2),
        "encoder_seconds": round(encoder_seconds, 2),
        "ratio": round(share, 3),
        **more,
    }
    shown = f"{share:.3f} = {chunks / ingest_seconds:.1f} / {chunks / encoder_seconds:.1f} (n = {chunks})"
    return Result("encoder", shown, f">= {ENCODER_SHARE}", share >= ENCODER_SHARE, figures)


def langchain_result(own: Mapping[str, float], other: Mapping[str, float]) -> Result:
    """Compare chunks a second; each side has ``chunks``, ``tokens`` and ``seconds``."""
    rates = [side["chunks"] / side["seconds"] for side in (own, other)]
    ratio = rates[0] / rates[1]
    token_ratio = (own["tokens"] / own["seconds"]) / (other["tokens"] / other["seconds"])
    shown = f"{ratio:.2f} = {rates[0]:.1f} / {rates[1]:.1f} (n = {own['chunks']:.0f}, {other['chunks']:.0f})"
    figures = {
        "ratio": round(ratio, 3),
        "ratio_by_tokens": round(token_ratio, 3),
        "own": dict(own),
        "langchain": dict(other),
    }
    return Result("langchain", shown, f">= {LANGCHAIN_RATIO}", ratio >= LANGCHAIN_RATIO, figures)


def unchanged_result(documents: int, embedded: int, seconds: float, process_seconds: float) -> Result:
    """Judge the second run: ``seconds`` of the ingest, ``process_seconds`` with the start of its process."""
    figures = {
        "documents": documents,
        "embedded": embedded,
        "seconds": round(seconds, 2),
        "process_seconds": round(process_seconds, 2),
    }
    met = embedded == 0 and process_seconds <= UNCHANGED_SECONDS
    shown = f"{process_seconds:.2f} s, {embedded} embedded (n = {documents})"
    return Result("unchanged", shown, f"<= {UNCHANGED_SECONDS} s, 0", met, figures)


def memory_result(small: Mapping[str, int], large: Mapping[str, int]) -> Result:
    """Compare peaks, less the size of the index; each side has ``chunks``, ``peak_bytes`` and ``index_bytes``."""
    rest = [side["peak_bytes"] - side["index_bytes"] for side in (small, large)]
    ratio = rest[1] / rest[0]
    shown = f"{ratio:.2f} = {rest[1] / 1e6:.0f} MB / {rest[0] / 1e6:.0f} MB (n = {large['chunks']}, {small['chunks']})"
    figures = {"ratio": round(ratio, 3), "small": dict(small), "large": dict(large)}
    return Result("memory", shown, f"<= {MEMORY_RATIO}", ratio <= MEMORY_RATIO, figures)


def kills_result(clean: int, kills: int, **more: object) -> Result:
    """Judge the kills: all must leave a sound knowledge base that the next run completes."""
    figures = {"clean": clean, "kills": kills, **more}
    return Result("kills", f"{clean} / {kills}", f"{kills} / {kills}", clean == kills, figures)


def measure_encoder(folder: Path, chunks: int, seed: int, settings: Settings, embedder: Embedder, say: Say) -> Result:
    """Ingest a folder of mixed formats twice, into empty knowledge bases, and in between give the encoder its passages.

    So a machine that grows busier bears on both sides alike.  The encoder gets them sorted by length, on all cores.
    ``cpu_ratio`` compares processor time instead: what would be left if nothing went on at the same time.
    """
    say("writing corpus")
    write_corpus(folder / "corpus", round(chunks / _CHUNKS_A_FILE[True]), seed)
    say("ingesting")
    embedder.embed_passages(["warm"] * 8)
    first = _ingest(folder / "corpus", folder / "first", settings, embedder)
    texts = sorted(_embedded_texts(first[0], folder / "first", settings), key=lambda text: -len(text.encode()))
    say("encoding")
    encoder = _encode(texts, embedder, settings.embedder_threads or usable_cores())
    say("ingesting again")
    second = _ingest(folder / "corpus", folder / "second", settings, embedder)
    seconds, cpu_seconds = ((one + other) / 2 for one, other in zip(first[1:], second[1:], strict=True))
    return encoder_result(
        len(texts),
        seconds,
        encoder[0],
        cpu_ratio=round(encoder[1] / cpu_seconds, 3),
        each_ingest_seconds=[round(first[1], 2), round(second[1], 2)],
        documents=first[0].documents,
        formats=sorted(set(FORMATS)),
        failures=len(first[0].failures),
    )


def measure_langchain(folder: Path, chunks: int, seed: int, settings: Settings, embedder: Embedder, say: Say) -> Result:
    """Ingest a folder of Markdown with this program and with LangChain's parts, one after the other."""
    read_identity(reference_folder(settings))  # raises EmbedderMissing
    say("writing corpus")
    write_corpus(folder / "corpus", round(chunks / _CHUNKS_A_FILE[False]), seed, formats=("md",))
    say("ingesting")
    embedder.embed_passages(["warm"] * 8)
    summary, seconds, _ = _ingest(folder / "corpus", folder / "own", settings, embedder)
    texts = _embedded_texts(summary, folder / "own", settings)
    own = {"chunks": len(texts), "tokens": sum(map(embedder.count_tokens, texts)), "seconds": seconds}
    say("running langchain")
    other = run_child(
        "eval.bench.langchain.baseline", folder / "corpus", reference_folder(settings), str(settings.chunk_tokens)
    )
    return langchain_result(own, other)


def _ingest(corpus: Path, data_dir: Path, settings: Settings, embedder: Embedder) -> tuple[IngestSummary, float, float]:
    """Ingest into an empty knowledge base; return the summary, seconds, and seconds of processor time."""
    began_at, cpu_began_at = time.perf_counter(), _cpu_seconds()
    summary = ingest([corpus], settings.changed(data_dir=data_dir), embedder)
    return summary, time.perf_counter() - began_at, _cpu_seconds() - cpu_began_at


def _encode(texts: Sequence[str], embedder: Embedder, threads: int) -> tuple[float, float]:
    batches = [texts[begin : begin + _BATCH] for begin in range(0, len(texts), _BATCH)]
    began_at, cpu_began_at = time.perf_counter(), _cpu_seconds()
    with ThreadPoolExecutor(threads) as pool:
        deque(pool.map(embedder.embed_passages, batches), maxlen=0)
    return time.perf_counter() - began_at, _cpu_seconds() - cpu_began_at


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _embedded_texts(summary: IngestSummary, data_dir: Path, settings: Settings) -> list[str]:
    """Return the distinct texts that were embedded."""
    store = KnowledgeStore(settings.changed(data_dir=data_dir).knowledge_dir)
    try:
        chunks = store.chunks(store.visible_chunk_ids(summary.generation), summary.generation)
        return sorted({chunk.embedded_text for chunk in chunks.values()})
    finally:
        store.close()


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
        write_corpus(folder / name, round(wanted / _CHUNKS_A_MEMORY_FILE), seed, formats=_MEMORY_FORMATS)
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
        context.set_forkserver_preload(["eval.bench.ingest.benchmark"])
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
    child = context.Process(target=_ingest_when_ready, args=(corpus, data_dir, ready))
    child.start()
    ready.wait()
    began_at = time.perf_counter()
    child.join(kill_after_seconds)
    seconds = time.perf_counter() - began_at
    if child.is_alive() and child.pid is not None:
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    return seconds


def _ingest_when_ready(corpus: Path, data_dir: Path, ready: Event) -> None:
    ready.set()
    ingest([corpus], Settings(data_dir=data_dir), GeneratedVectors(), IngestOptions(prune=True))


def _documents(data_dir: Path) -> dict[str, bytes]:
    """Return what the current generation holds: the hash of each document's content by its id."""
    store = KnowledgeStore(Settings(data_dir=data_dir).knowledge_dir)
    try:
        return {name: known.content_hash for name, known in store.origins(store.require_generation()).items()}
    finally:
        store.close()
