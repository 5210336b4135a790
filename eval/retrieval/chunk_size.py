"""Measure the search with several sizes of passages; everything else is as the desk does it."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eval.core.progress import SILENT, Progress, counted
from eval.core.question_sets import QuestionSet
from eval.retrieval.benchmark import ask
from eval.retrieval.rankings import Ranking, summarise
from ingest.pipeline import IngestOptions, ingest
from rag.protocols import Embedder
from rag.settings import Settings


def corpus_of(one: QuestionSet) -> Path:
    """Return the corpus of a set out of a folder, which has one."""
    assert one.corpus is not None
    return one.corpus


def smaller_corpus(one: QuestionSet, documents: int, seed: int, place: Path) -> QuestionSet:
    """Return the set with ``documents`` of its corpus, written to ``place``: what is relevant, and others by the seed.

    Where more are relevant all of those stay.  Fewer documents make the questions easier, for each size alike.
    """
    rows = [line for line in corpus_of(one).read_text(encoding="utf-8").split("\n") if line.strip()]
    relevant = {document for question in one.questions for document in question.relevant}
    kept = [number for number, line in enumerate(rows) if json.loads(line)["id"] in relevant]
    others = sorted(set(range(len(rows))) - set(kept))
    kept += random.Random(seed).sample(others, min(len(others), max(0, documents - len(kept))))
    place.write_text("".join(f"{rows[number]}\n" for number in sorted(kept)), encoding="utf-8")
    return replace(one, corpus=place)


def measure_chunk_sizes(
    sets: Sequence[QuestionSet],
    sizes: Sequence[int],
    settings: Settings,
    embedder: Embedder,
    folder: Path,
    progress: Progress = SILENT,
) -> dict[int, dict[str, object]]:
    """Return for each size (tokens) the means over the sets, the figures of each under ``by_set``, and ``chunks``.

    Each set has one knowledge base for all sizes, in ``folder``: a passage that two sizes share is embedded once.
    """
    rankings: dict[int, dict[str, Sequence[Ranking]]] = {size: {} for size in sizes}
    chunks = dict.fromkeys(sizes, 0)
    for number, one in enumerate(sets):
        for size in sizes:
            own = settings.changed(data_dir=folder / str(number), chunk_tokens=size)
            with progress.ingest() as report:
                summary = ingest([corpus_of(one)], own, embedder, IngestOptions(prune=True), progress=report)
            advance = counted(progress, f"{one.name} {size}", len(one.questions))
            rankings[size][one.name] = ask(one, own.knowledge_dir, own, embedder, advance)
            chunks[size] += summary.chunks
    return {size: {**summarise(rankings[size]), "chunks": chunks[size]} for size in sizes}
