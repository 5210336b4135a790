"""A small knowledge base on disk, written the way ingest writes it, one chunk a document."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from rag.protocols import Embedder
from rag.retrieval.index_builder import IndexLimits, next_index
from rag.retrieval.lexical_index import indexed_terms
from rag.schema import Chunk, Document, Language
from rag.storage.embeddings import EmbeddingTable, embedding_hash
from rag.storage.store import StoredDocument
from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument

LIMITS = IndexLimits(exact_chunks=1000, merge_share=0.5)


def publish(
    folder: Path,
    texts: Mapping[str, tuple[Language, str]],
    embedder: Embedder,
    *,
    retire: Iterable[str] = (),
    limits: IndexLimits = LIMITS,
) -> int:
    """Publish a generation in which these documents are new or replaced, and return its number."""
    writer = KnowledgeWriter(folder)
    generation = writer.begin()
    chunks = {
        name: Chunk(name, f"{name}.md", "", (), text, 0, len(text), 0, language)
        for name, (language, text) in texts.items()
    }
    writer.retire(retire, generation)
    writer.replace([_new(chunk) for chunk in chunks.values()], generation)
    table = EmbeddingTable(writer.database, embedder.model_id, embedder.dimension)
    embedded = {embedding_hash(chunk): chunk.embedded_text for chunk in chunks.values()}
    table.add(list(embedded), embedder.embed_passages(list(embedded.values())))
    index_folder = folder / "generations" / f"{generation:06d}"
    index_folder.mkdir(parents=True)
    former = index_folder.with_name(f"{generation - 1:06d}")
    place = index_folder if limits.engine is not None else None
    space = embedder.model_id, embedder.dimension
    next_index(writer.database, generation, former, *space, limits, place).write(index_folder)
    writer.publish(generation, embedder.model_id, embedder.dimension)
    writer.close()
    return generation


def _new(chunk: Chunk) -> NewDocument:
    document = Document(chunk.document_id, chunk.document_path, "", chunk.text, chunk.language)
    origin = StoredDocument(chunk.document_id, "/root", chunk.document_path, chunk.document_path, b"0" * 32, "test")
    return NewDocument(document, origin, (NewChunk(chunk, embedding_hash(chunk), indexed_terms(chunk)),))
