"""Checks that rows, postings, vectors and the index file of the current generation agree.

Reads only, also while others serve or write.  ``rebuild`` repairs what is wrong: everything is made from the texts of
the documents.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rag.errors import EmbedderMismatch, IndexDamaged, VectorsMissing
from rag.retrieval.generation_index import GenerationIndex, Part
from rag.retrieval.generation_view import LanguageVectors
from rag.retrieval.lexical_index import indexed_terms
from rag.retrieval.postings import Postings
from rag.retrieval.vector_engine import EngineReader, VectorEngine
from rag.schema import Chunk, Language
from rag.storage.embeddings import UNIT_TOLERANCE, EmbeddingTable, IndexRows, IndexSource, embedding_hash
from rag.storage.figures import FigureFolder
from rag.storage.store import (
    CHUNK_COLUMNS,
    VISIBLE,
    GenerationInfo,
    KnowledgeStore,
    chunk_from_row,
    visible_counts,
)

Problem = Literal["database", "counts", "offsets", "figures", "postings", "hashes", "vectors", "tokens", "index"]

_CHUNKS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of disagreement: how often it occurs (at least 1), and an example for people."""

    problem: Problem
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of a check; ``findings`` is empty if all is well."""

    generation: int
    documents: int
    chunks: int
    findings: tuple[Finding, ...]


class _Findings:
    """Counts problems and keeps the first example of each kind."""

    def __init__(self) -> None:
        self._found: dict[Problem, tuple[int, str]] = {}

    def add(self, problem: Problem, example: str, count: int = 1) -> None:
        known, first = self._found.get(problem, (0, example))
        self._found[problem] = (known + count, first)

    def all(self) -> tuple[Finding, ...]:
        return tuple(Finding(problem, *found) for problem, found in self._found.items())


def check(folder: Path, *, engine: VectorEngine | None = None) -> CheckReport:
    """Compare everything of the current generation of the knowledge base in ``folder``.

    ``engine`` is that of the settings (``engine_of``), which may hold the vectors.  Raises ``KnowledgeBaseMissing``,
    ``IndexDamaged`` where the database itself cannot be read, and ``VectorEngineUnavailable`` or ``VectorEngineUnset``
    where the engine with the vectors cannot be asked.
    """
    with KnowledgeStore(folder) as store:
        info = store.generation_info(store.require_generation())
        findings = _Findings()
        _check_database(store, findings)
        _check_counts(store, info, findings)
        for batch in _batches(store, info.generation):
            _check_chunks(batch, findings)
        _check_figures(store, info, findings)
        _check_vectors(store, info, findings, engine)
        return CheckReport(info.generation, info.document_count, info.chunk_count, findings.all())


def _check_database(store: KnowledgeStore, findings: _Findings) -> None:
    said = [row[0] for row in store.rows("PRAGMA integrity_check(10)")]
    if said != ["ok"]:
        findings.add("database", str(said[0]), len(said))


def _check_counts(store: KnowledgeStore, info: GenerationInfo, findings: _Findings) -> None:
    with store.reading() as connection:
        counts = visible_counts(connection, info.generation)
    for table, found, expected in zip(
        ("document", "chunk"), counts, (info.document_count, info.chunk_count), strict=True
    ):
        if found != expected:
            findings.add("counts", f"{table}: {found} != {expected}")


@dataclass(frozen=True, slots=True)
class _Row:
    chunk: Chunk
    stretch: str
    digest: bytes
    terms: str


def _batches(store: KnowledgeStore, generation: int) -> Iterator[list[_Row]]:
    """Yield the chunks with the columns that are checked."""
    last = 0
    while True:
        rows = store.rows(
            f"SELECT {CHUNK_COLUMNS}, chunk.embedding_hash, chunk.terms, "
            "substr(document.text, start_offset + 1, end_offset - start_offset) AS stretch "
            "FROM chunk JOIN document USING (document_key) "
            f"WHERE chunk_id > :last AND {VISIBLE.format('chunk')} ORDER BY chunk_id LIMIT {_CHUNKS_AT_ONCE}",
            {"generation": generation, "last": last},
        )
        if not rows:
            return
        last = rows[-1]["chunk_id"]
        yield [_Row(chunk_from_row(row), row["stretch"], row["embedding_hash"], row["terms"]) for row in rows]


def _check_chunks(rows: list[_Row], findings: _Findings) -> None:
    for row in rows:
        chunk = row.chunk
        name = f"{chunk.document_id} [{chunk.start}:{chunk.end}]"
        if row.stretch != chunk.text:
            findings.add("offsets", name)
        if row.terms != indexed_terms(chunk):
            findings.add("postings", name)
        if row.digest != embedding_hash(chunk):
            findings.add("hashes", name)


def _check_figures(store: KnowledgeStore, info: GenerationInfo, findings: _Findings) -> None:
    """Check that each picture is there and has the content of its name; ``reread`` brings a missing one back."""
    folder = FigureFolder(store.folder)
    for row in store.rows(
        "SELECT digest, min(document_id) AS document_id FROM figure JOIN document USING (document_key) "
        f"WHERE {VISIBLE.format('document')} GROUP BY digest",
        {"generation": info.generation},
    ):
        if folder.read(row["digest"]) is None:
            findings.add("figures", row["document_id"])


def _check_vectors(
    store: KnowledgeStore, info: GenerationInfo, findings: _Findings, engine: VectorEngine | None
) -> None:
    """Compare the vectors in the database with the chunks, and the index file with both."""
    table = EmbeddingTable(store, info.embedder_model, info.dimension)
    if damaged := table.damaged_tokens(info.generation):
        findings.add("tokens", f"chunk {damaged[0]}", len(damaged))
    try:
        chunk_ids, vectors = table.visible(info.generation)
    except IndexDamaged as error:
        findings.add("vectors", str(error))
        return
    if without := info.chunk_count - len(chunk_ids):
        findings.add("vectors", f"{len(chunk_ids)} != {info.chunk_count}", abs(without))
    if wrong := int(np.sum(np.abs(np.linalg.norm(vectors, axis=1) - 1) > UNIT_TOLERANCE)):
        findings.add("vectors", "length != 1", wrong)
    try:
        stored = GenerationIndex.open(store.generation_folder(info.generation), info.embedder_model)
        source = IndexSource(store, info.embedder_model, info.dimension)
        reader = EngineReader(engine, source) if engine is not None else None
        index = stored.loaded({}, reader)
        for one in index.languages.values():
            LanguageVectors(one).verify()
    except (IndexDamaged, EmbedderMismatch, VectorsMissing) as error:
        findings.add("index", str(error))
        return
    indexed_ids = np.sort(index.chunk_ids())
    if not np.array_equal(indexed_ids, chunk_ids):
        missing = np.setxor1d(indexed_ids, chunk_ids)
        findings.add("index", f"chunk {missing[0] if len(missing) else indexed_ids[0]}", max(len(missing), 1))
        return
    comparison = _IndexComparison(index, findings)
    for rows in IndexSource(store, info.embedder_model, info.dimension).index_rows(info.generation):
        comparison.take(rows)


class _IndexComparison:
    """Compares an index with the rows it was built from, a batch at a time."""

    def __init__(self, index: GenerationIndex, findings: _Findings) -> None:
        self._findings = findings
        self._mean_length = index.mean_length
        self._parts: dict[Language, list[tuple[Part, NDArray[np.uint64]]]] = {
            language: [(part, part.postings.fingerprints()) for part in (one.base.loaded({}), one.fresh.loaded({}))]
            for language, one in index.languages.items()
        }

    def take(self, rows: IndexRows) -> None:
        postings = Postings.build(rows.terms, self._mean_length).fingerprints()
        for part, fingerprints in self._parts[rows.language]:
            here = part.vectors.holds(rows.chunk_ids)
            held = rows.chunk_ids[here]
            if different := int(np.sum(np.any(part.vectors.vectors(held) != rows.vectors[here], axis=1))):
                self._findings.add("index", "vectors differ", different)
            if different := int(np.sum(fingerprints[np.searchsorted(part.chunk_ids, held)] != postings[here])):
                self._findings.add("index", "postings differ", different)
