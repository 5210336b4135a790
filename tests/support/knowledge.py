"""A small published knowledge base on a real disk, cut where the tests want it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rag.schema import Audience, Chunk, Document, Figure, Language, Retrieval, RetrievedChunk
from rag.storage.store import KnowledgeStore, StoredDocument
from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument


@dataclass(frozen=True)
class Article:
    """A document whose chunks are ``pieces``, one blank line apart; ``headings`` are the heading paths of some."""

    document_id: str
    pieces: Sequence[str]
    title: str = "Title"
    language: Language = "en"
    audience: Audience = "public"
    updated_on: date | None = None
    metadata: Mapping[str, str] | None = None
    figures: tuple[Figure, ...] = ()
    headings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def publish(folder: Path, *articles: Article) -> KnowledgeStore:
    writer = KnowledgeWriter(folder)
    generation = writer.begin()
    writer.replace([_new_document(article) for article in articles], generation)
    writer.publish(generation, "fake", 8)
    writer.close()
    return KnowledgeStore(folder)


def found(store: KnowledgeStore, *places: tuple[str, int], answerable: bool = True) -> Retrieval:
    """A retrieval of the chunks at (document id, ordinal), best first."""
    generation = store.current_generation()
    chunks = [store.document_chunks(document_id, generation)[ordinal] for document_id, ordinal in places]
    ranked = tuple(RetrievedChunk(chunk, 1.0 / rank) for rank, chunk in enumerate(chunks, start=1))
    probability = 0.9 if answerable else 0.1
    return Retrieval(ranked, probability, answerable, generation, base_probability=probability)


def _new_document(article: Article) -> NewDocument:
    text = "\n\n".join(article.pieces)
    document = Document(
        document_id=article.document_id,
        path=f"/kb/{article.document_id}",
        title=article.title,
        text=text,
        language=article.language,
        updated_on=article.updated_on,
        audience=article.audience,
        metadata=dict(article.metadata or {}),
        figures=article.figures,
    )
    chunks, start = [], 0
    for ordinal, piece in enumerate(article.pieces):
        chunk = Chunk(
            document_id=article.document_id,
            document_path=document.path,
            title=article.title,
            heading_path=tuple(article.headings.get(ordinal, ())),
            text=piece,
            start=start,
            end=start + len(piece),
            ordinal=ordinal,
            language=article.language,
        )
        chunks.append(NewChunk(chunk, f"{article.document_id}{ordinal}".encode().ljust(32, b"."), ""))
        start += len(piece) + 2
    origin = StoredDocument(article.document_id, "/kb", article.document_id, document.path, b"h" * 32, "1")
    return NewDocument(document, origin, tuple(chunks))
