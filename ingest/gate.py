"""The regression gate: before a generation is published, it must find the documents that the current one found.

The knowledge base's own questions are searched in both, by retrieval alone.  Both are opened here by their numbers and
closed again, so no question of a user reaches the unpublished one.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.golden import GoldenQuestion, load_questions
from ingest.lock import writer_lock
from ingest.summary import FOUND_WITHIN, GateReport, QuestionChange
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
from rag.retrieval.retriever import SearchResult, search_view
from rag.retrieval.vector_engine import engine_of
from rag.settings import Settings
from rag.storage.regression import RegressionQuestion, RegressionQuestions, StoredQuestion
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import VISIBLE, KnowledgeStore
from rag.storage.writer import KnowledgeWriter

_EMBEDDED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Place:
    """A generation's result for a question: the rank of its document, None if not found, and the top document."""

    rank: int | None
    first: str

    @property
    def is_found(self) -> bool:
        """Whether a reader sees the document."""
        return self.rank is not None and self.rank <= FOUND_WITHIN


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
        """Note the documents that this run retires on request, and the new names of moved ones by their old names."""
        self._retired, self._renamed = retired, renamed

    def judge(self, generation: int) -> GateReport | None:
        """Compare the built generation with the current one; None where no questions are kept."""
        kept = [_with_new_names(question, self._renamed) for question in self._table.all()]
        if not kept:
            return None
        vectors = self._table.embedded(self._embedder, [question.asked.question for question in kept])
        with KnowledgeStore(self._folder) as store:
            after = places(store, generation, list(zip(kept, vectors, strict=True)), self._embedder, self._settings)
            current = store.current_generation()
            before = self._places_before(store, current, list(zip(kept, vectors, strict=True)))
            names = [name for question in kept for name in question.asked.document_ids]
            present = _present_ids(store, names, generation), _present_ids(store, names, current)
        self._places = {question.number: place.rank for question, place in zip(kept, after, strict=True)}
        report = _gate_report(zip(kept, before, after, strict=True), present, self._retired, self._settings.gate_margin)
        return replace(report, forced=self._force and not report.passed)

    def settle(self, generation: int) -> None:
        """Store the places, once the generation is published; a full disk is no failure at this point."""
        if not self._places:
            return
        with suppress(StorageFull):
            self._table.settle(generation, self._places, self._renamed)

    def _places_before(
        self, store: KnowledgeStore, current: int, questions: Sequence[tuple[StoredQuestion, QueryVectors]]
    ) -> Sequence[Place | None]:
        """Search the current generation; where another embedder made it, or it is damaged, return the stored places."""
        if current == 0:
            return [None] * len(questions)
        try:
            return places(store, current, questions, self._embedder, self._settings)
        except (EmbedderMismatch, IndexDamaged, VectorsMissing, VectorEngineUnset):
            return [Place(kept.place, "") if kept.placed_in == current else None for kept, _ in questions]


def _gate_report(
    asked: Iterable[tuple[StoredQuestion, Place | None, Place]],
    present: tuple[set[str], set[str]],
    retired: Collection[str],
    margin: float,
) -> GateReport:
    """Sort questions by outcome; each comes with its place before, None where that is not known, and after.

    ``present`` are the expected documents that the new and the former generation have.
    """
    now, then = present
    lost: list[QuestionChange] = []
    won: list[QuestionChange] = []
    gone: list[QuestionChange] = []
    questions = found_before = found_after = unknown = new = 0
    for question, before, after in asked:
        names = set(question.asked.document_ids)
        if before is None:
            new += 1
        elif not names & (now | then) and not after.is_found:
            unknown += 1
        elif names & then and not names & now and names & then <= set(retired) and not after.is_found:
            gone.append(_change(question, before, after, now))
        else:
            questions += 1
            found_before += before.is_found
            found_after += after.is_found
            if before.is_found != after.is_found:
                (won if after.is_found else lost).append(_change(question, before, after, now))
    return GateReport(
        questions, found_before, found_after, margin, tuple(lost), tuple(won), tuple(gone), unknown=unknown, new=new
    )


def _change(kept: StoredQuestion, before: Place, after: Place, present: Collection[str]) -> QuestionChange:
    """Return the change in one question; ``present`` are the existing documents."""
    names = kept.asked.document_ids
    found = any(name in present for name in names)
    return QuestionChange(kept.asked.question, names, before.rank, after.rank, after.first, present=found)


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
            search_view(view, store, Query.of(kept.asked.question, kept.asked.language, vectors), settings.candidates),
        )
        for kept, vectors in questions
    ]


def check_current(settings: Settings, embedder: Embedder) -> GateReport:
    """Test the current generation alone: before and after are equal, ``lost`` are the questions not found.

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
        present = _present_ids(store, [name for question in kept for name in question.asked.document_ids], current)
    known = [
        (question, place)
        for question, place in zip(kept, found, strict=True)
        if present & {*question.asked.document_ids}
    ]
    missed = tuple(_change(question, place, place, present) for question, place in known if not place.is_found)
    count = len(known) - len(missed)
    return GateReport(len(known), count, count, settings.gate_margin, lost=missed, unknown=len(kept) - len(known))


def register(file: Path, settings: Settings) -> tuple[int, int]:
    """Store a file's questions as the knowledge base's own, in place of the earlier file's.

    Return how many name a document with the answer, and how many name none and so cannot be asked.  Raises
    ``SettingsError`` for a file that is none of questions, ``IngestRunning`` and ``StorageFull``.
    """
    golden = load_questions(file)
    kept = register_questions(golden, settings)
    if not kept:
        raise NoRegressionQuestions(name=str(file))
    return kept, len(golden) - kept


def register_questions(golden: Sequence[GoldenQuestion], settings: Settings) -> int:
    """Store the questions that name a document, and return how many; without any, nothing is changed.

    Raises ``IngestRunning`` and ``StorageFull``.
    """
    asked = [
        RegressionQuestion(
            in_context(one.question, one.previous),
            one.language,
            one.relevant,
            one.quote,
            answers=one.answers,
            key_points=one.key_points,
        )
        for one in golden
        if one.relevant
    ]
    if asked:
        folder, server = settings.knowledge_dir, settings.questions_database
        with writer_lock(folder, KnowledgeShare.of(settings)), KnowledgeWriter(folder) as writer:
            RegressionQuestions(writer.database, server).replace_file(asked)
    return len(asked)


def _with_new_names(kept: StoredQuestion, renamed: Mapping[str, str]) -> StoredQuestion:
    """Return a question that also expects its documents under their new names."""
    names = kept.asked.document_ids
    new = [renamed[name] for name in names if name in renamed]
    return replace(kept, asked=replace(kept.asked, document_ids=tuple(dict.fromkeys([*names, *new])))) if new else kept


def _place(asked: RegressionQuestion, found: SearchResult) -> Place:
    ranked = list(dict.fromkeys(one.chunk.document_id for one in found.chunks))
    expected = set(asked.document_ids)
    if asked.quote:
        quote = _single_spaced(asked.quote)
        expected |= {one.chunk.document_id for one in found.chunks if quote in _single_spaced(one.chunk.text)}
    rank = next((rank for rank, name in enumerate(ranked, start=1) if name in expected), None)
    return Place(rank, ranked[0] if ranked else "")


def _single_spaced(text: str) -> str:
    return " ".join(text.split())


def without_documents(expected: Sequence[Sequence[str]], store: KnowledgeStore) -> list[int]:
    """Return the places of the questions none of whose ``expected`` documents is in the current generation."""
    names = {name for documents in expected for name in documents}
    present = _present_ids(store, sorted(names), store.current_generation())
    return [place for place, documents in enumerate(expected) if not present.intersection(documents)]


def count_without_documents(settings: Settings) -> int:
    """Count the knowledge base's questions none of whose documents it has, of a knowledge base that is published."""
    with KnowledgeStore(settings.knowledge_dir) as store:
        if not store.current_generation():
            return 0
        kept = RegressionQuestions(store, settings.questions_database).all()
        return len(without_documents([one.asked.document_ids for one in kept], store))


def _present_ids(store: KnowledgeStore, document_ids: Sequence[str], generation: int) -> set[str]:
    """Return the given documents that a generation has."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT document_id FROM document WHERE document_id IN (SELECT value FROM json_each(:ids)) "
            f"AND {VISIBLE.format('document')}",
            {"ids": json.dumps(list(document_ids)), "generation": generation},
        )
        return {row[0] for row in rows}
