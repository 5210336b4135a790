"""Asks a knowledge base's own questions before a generation is published: it must find what the one before it found.

Retrieval alone answers them, once in the generation that serves and once in the one that is built.  Both are opened
here by their number and dropped again; nobody who asks the desk can come upon the one that is not published.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ingest.gate_report import GateReport, Place, change, compared
from ingest.golden import GoldenQuestion, load_questions
from ingest.lock import writer_lock
from rag.errors import (
    EmbedderMismatch,
    IndexDamaged,
    NoRegressionQuestions,
    StorageFull,
    VectorEngineUnset,
    VectorsMissing,
)
from rag.protocols import Embedder, QueryVectors
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.query import Query
from rag.retrieval.question import in_context
from rag.retrieval.retriever import SearchResult, find_in
from rag.retrieval.vector_engine import engine_of
from rag.settings import Settings
from rag.storage.regression import RegressionQuestion, RegressionQuestions, StoredQuestion
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import VISIBLE, KnowledgeStore
from rag.storage.writer import KnowledgeWriter

_EMBEDDED_AT_ONCE = 64


class Gate:
    """Asks one knowledge base's questions; the caller holds its lock."""

    def __init__(self, writer: KnowledgeWriter, embedder: Embedder, settings: Settings, *, force: bool = False) -> None:
        self._folder = writer.folder
        self._table = RegressionQuestions(writer.database, settings.questions_database)
        self._embedder = embedder
        self._settings = settings
        self._force = force
        self._places: dict[int, int | None] = {}
        self._retired: Collection[str] = ()
        self._renamed: Mapping[str, str] = {}

    def expect(self, retired: Collection[str], renamed: Mapping[str, str]) -> None:
        """Be told which documents this run was asked to retire, and the new names of others by their old ones."""
        self._retired, self._renamed = retired, renamed

    def judge(self, generation: int) -> GateReport | None:
        """Compare the built generation with the current one; None where no questions are kept."""
        kept = [_expecting(question, self._renamed) for question in self._table.all()]
        if not kept:
            return None
        vectors = self._table.embedded(self._embedder, [question.asked.question for question in kept])
        with KnowledgeStore(self._folder) as store:
            after = places(store, generation, list(zip(kept, vectors, strict=True)), self._embedder, self._settings)
            current = store.current_generation()
            before = self._places_before(store, current, list(zip(kept, vectors, strict=True)))
            names = [name for question in kept for name in question.asked.document_ids]
            present = _present(store, names, generation), _present(store, names, current)
        self._places = {question.number: place.rank for question, place in zip(kept, after, strict=True)}
        report = compared(zip(kept, before, after, strict=True), present, self._retired, self._settings.gate_margin)
        return replace(report, forced=self._force and not report.passed)

    def settle(self, generation: int) -> None:
        """Keep what was found, once the generation is published; a disk too full for that is no failure any more."""
        if not self._places:
            return
        with suppress(StorageFull):
            self._table.settle(generation, self._places, self._renamed)

    def _places_before(
        self, store: KnowledgeStore, current: int, questions: Sequence[tuple[StoredQuestion, QueryVectors]]
    ) -> Sequence[Place | None]:
        """Ask the current generation; where another embedder made it, or it is damaged, what was found at its time."""
        if current == 0:
            return [None] * len(questions)
        try:
            return places(store, current, questions, self._embedder, self._settings)
        except (EmbedderMismatch, IndexDamaged, VectorsMissing, VectorEngineUnset):
            return [Place(kept.place, "") if kept.placed_in == current else None for kept, _ in questions]


def places(
    store: KnowledgeStore,
    generation: int,
    questions: Sequence[tuple[StoredQuestion, QueryVectors]],
    embedder: Embedder,
    settings: Settings,
) -> list[Place]:
    """Search each question in one generation and return where its document is.

    Raises ``EmbedderMismatch``, ``IndexDamaged`` and ``VectorEngineError``.
    """
    view = GenerationView.open(store, generation, embedder.model_id, engine=engine_of(settings))
    return [
        _place(
            kept.asked,
            find_in(view, store, Query.of(kept.asked.question, kept.asked.language, vectors), settings.candidates),
        )
        for kept, vectors in questions
    ]


def gate_of_current(settings: Settings, embedder: Embedder) -> GateReport:
    """Return how the current generation does by itself: both sides are the same, ``lost`` are those not found.

    Raises ``KnowledgeBaseMissing``, ``NoRegressionQuestions``, ``EmbedderMismatch`` and ``IndexDamaged``.
    """
    with KnowledgeStore(settings.knowledge_dir) as store:
        current = store.require_generation()
        kept = RegressionQuestions(store, settings.questions_database).all()
        if not kept:
            raise NoRegressionQuestions(name=settings.knowledge_base)
        single: list[QueryVectors] = []
        for begin in range(0, len(kept), _EMBEDDED_AT_ONCE):
            vectors = embedder.embed_queries([one.asked.question for one in kept[begin : begin + _EMBEDDED_AT_ONCE]])
            single += [
                QueryVectors(vectors.vectors[row : row + 1], (tokens,)) for row, tokens in enumerate(vectors.tokens)
            ]
        found = places(store, current, list(zip(kept, single, strict=True)), embedder, settings)
        present = _present(store, [name for question in kept for name in question.asked.document_ids], current)
    known = [
        (question, place)
        for question, place in zip(kept, found, strict=True)
        if present & {*question.asked.document_ids}
    ]
    missed = tuple(change(question, place, place, present) for question, place in known if not place.found)
    count = len(known) - len(missed)
    return GateReport(len(known), count, count, settings.gate_margin, lost=missed, unknown=len(kept) - len(known))


def register(file: Path, settings: Settings) -> tuple[int, int]:
    """Keep a file's questions as the knowledge base's own, in the place of the file's before.

    Return how many name a document that holds the answer, and how many do not and so cannot be asked here.  Raises
    ``SettingsError`` for a file that is none of questions, ``IngestRunning`` and ``StorageFull``.
    """
    golden = load_questions(file)
    kept = register_questions(golden, settings)
    if not kept:
        raise NoRegressionQuestions(name=str(file))
    return kept, len(golden) - kept


def register_questions(golden: Sequence[GoldenQuestion], settings: Settings) -> int:
    """Keep those of the questions that name a document, and return how many; without any, nothing is changed.

    Raises ``IngestRunning`` and ``StorageFull``.
    """
    asked = [
        RegressionQuestion(in_context(one.question, one.previous), one.language, one.relevant, one.quote)
        for one in golden
        if one.relevant
    ]
    if asked:
        folder, server = settings.knowledge_dir, settings.questions_database
        with writer_lock(folder, KnowledgeShare.of(settings)), KnowledgeWriter(folder) as writer:
            RegressionQuestions(writer.database, server).replace_file(asked)
    return len(asked)


def _expecting(kept: StoredQuestion, renamed: Mapping[str, str]) -> StoredQuestion:
    """Let a question also expect its documents under the names that this run found them at."""
    names = kept.asked.document_ids
    new = [renamed[name] for name in names if name in renamed]
    return replace(kept, asked=replace(kept.asked, document_ids=tuple(dict.fromkeys([*names, *new])))) if new else kept


def _place(asked: RegressionQuestion, found: SearchResult) -> Place:
    ranked = list(dict.fromkeys(one.chunk.document_id for one in found.chunks))
    expected = set(asked.document_ids)
    if asked.quote:
        quote = _spaced(asked.quote)
        expected |= {one.chunk.document_id for one in found.chunks if quote in _spaced(one.chunk.text)}
    rank = next((rank for rank, name in enumerate(ranked, start=1) if name in expected), None)
    return Place(rank, ranked[0] if ranked else "")


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _present(store: KnowledgeStore, document_ids: Sequence[str], generation: int) -> set[str]:
    """Return those of the documents that a generation has."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT document_id FROM document WHERE document_id IN (SELECT value FROM json_each(:ids)) "
            f"AND {VISIBLE.format('document')}",
            {"ids": json.dumps(list(document_ids)), "generation": generation},
        )
        return {row[0] for row in rows}
