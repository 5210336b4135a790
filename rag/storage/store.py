"""Reads the documents and chunks of one generation from SQLite, and the name that a vector engine knows them by."""

import json
import re
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_args

from rag.errors import IndexDamaged, KnowledgeBaseMissing
from rag.files import read_json, write_whole
from rag.schema import Audience, Chunk, Document, Figure, Language
from rag.storage.connection import KNOWLEDGE_NAME, Database
from rag.storage.migrations import KNOWLEDGE_MIGRATIONS
from rag.text.characters import one_line, web_address

DATABASE_NAME = KNOWLEDGE_NAME
KEPT_GENERATIONS = 7
VISIBLE = "{0}.first_generation <= :generation AND ifnull({0}.last_generation > :generation, 1)"
"""SQL condition: the row of table or alias ``{0}`` is visible in ``:generation``."""

CHUNK_COLUMNS = """chunk.chunk_id, document.document_id, document.path, document.title, chunk.heading_path, chunk.text,
    chunk.start_offset, chunk.end_offset, chunk.ordinal, chunk.language"""  # from chunk JOIN document
ORIGIN_COLUMNS = "document_id, root, relative_path, path, content_hash, recipe"
DOCUMENT_COLUMNS = "document_id, path, title, text, language, source, updated_on, audience, metadata"
# in the order of the fields of Figure
FIGURE_COLUMNS = "digest, start_offset, end_offset, width, height, page, box, alt, caption, words"
FIGURES = f"""(SELECT json_group_array(json_array({FIGURE_COLUMNS})) FROM
    (SELECT * FROM figure WHERE figure.document_key = document.document_key ORDER BY ordinal)) AS figures"""
"""SQL: one more column of ``document``."""
GENERATION_COLUMNS = (
    "generation, published_at, embedder_model, dimension, document_count, chunk_count, "
    "added, changed, retired, restored, lost, forced"
)

ENGINE_NAME = "engine.json"
_OWNER = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class GenerationChange:
    """The difference of a generation to the one before it: counts of documents.

    ``restored`` is the number of the generation that a rollback brought back, 0 where it was an ingest.  ``lost``
    counts the regression questions that found their document before and do not any more; ``forced`` says that they were
    too many, and that it was published all the same because somebody said so.
    """

    added: int = 0
    changed: int = 0
    retired: int = 0
    restored: int = 0
    lost: int = 0
    forced: bool = False


@dataclass(frozen=True, slots=True)
class GenerationInfo:
    """One published state of the knowledge base.  ``published_at`` is in UTC."""

    generation: int
    published_at: datetime
    embedder_model: str
    dimension: int
    document_count: int
    chunk_count: int
    change: GenerationChange


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document without its text.

    ``root`` is the folder that was ingested, ``relative_path`` the file below it; a JSONL file's rows share both.
    ``content_hash`` is 32 bytes; ``chunker_version`` (the column ``recipe``) names the way it was cut into chunks.
    """

    document_id: str
    root: str
    relative_path: str
    path: str
    content_hash: bytes
    chunker_version: str


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document without its text, for lists.  ``characters`` counts the text's code points.

    ``root`` is the folder that it was found in; ``valid_until`` is the last day of its rule in its own words, or empty.
    """

    document_id: str
    path: str
    title: str
    language: Language
    source: str
    updated_on: date | None
    audience: Audience
    characters: int
    chunk_count: int
    root: str = ""
    valid_until: str = ""


class KnowledgeStore(Database):
    """Reads ``knowledge.db`` in ``folder``; safe from many threads.  Making one touches no file.

    Nothing is ever created here: where no database is, ``current_generation`` is 0 and every other method raises
    ``KnowledgeBaseMissing``.  What is read belongs to the generation that is asked for, so a reader that keeps to one
    number never sees half of a change; the newest ``KEPT_GENERATIONS`` stay readable.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(folder / DATABASE_NAME, KNOWLEDGE_MIGRATIONS)

    def current_generation(self) -> int:
        """Return the number that readers are to use; 0 when nothing is published or no database exists."""
        if not self.exists():
            return 0
        return int(self.value("SELECT generation FROM current"))

    def require_generation(self) -> int:
        """Return the current generation, or raise ``KnowledgeBaseMissing`` when there is none."""
        generation = self.current_generation()
        if generation == 0:
            raise KnowledgeBaseMissing(folder=self.folder)
        return generation

    def is_kept(self, generation: int) -> bool:
        """Return whether a published generation is among those that stay readable."""
        return self.current_generation() - KEPT_GENERATIONS < generation

    def generation_folder(self, generation: int) -> Path:
        """Return the folder of a generation's index files."""
        return generation_folder(self.folder, generation)

    def generation_info(self, generation: int) -> GenerationInfo:
        """Return the published generation of this number.  Raises ``KeyError`` if it is unknown or deleted."""
        row = self.row(f"SELECT {GENERATION_COLUMNS} FROM generation WHERE generation = ?", (generation,))
        if row is None:
            raise KeyError(generation)
        return _generation_from_row(row)

    def generations(self) -> list[GenerationInfo]:
        """Return every generation that was published, the newest first; the oldest ones can be read no more."""
        rows = self.rows(f"SELECT {GENERATION_COLUMNS} FROM generation ORDER BY generation DESC")
        return [_generation_from_row(row) for row in rows]

    def chunks(self, chunk_ids: Iterable[int], generation: int) -> dict[int, Chunk]:
        """Return the chunks that are visible in the generation, by their number."""
        rows = self.rows(
            f"SELECT {CHUNK_COLUMNS} FROM chunk JOIN document USING (document_key) "
            f"WHERE chunk_id IN (SELECT value FROM json_each(:ids)) AND {VISIBLE.format('chunk')}",
            {"ids": json.dumps([int(chunk_id) for chunk_id in chunk_ids]), "generation": generation},
        )
        return {row["chunk_id"]: chunk_from_row(row) for row in rows}

    def chunk_terms(self, chunk_ids: Iterable[int]) -> dict[int, str]:
        """Return the index terms of chunks, joined by blanks and those of titles included, by their number."""
        rows = self.rows(
            "SELECT chunk_id, terms FROM chunk WHERE chunk_id IN (SELECT value FROM json_each(:ids))",
            {"ids": json.dumps([int(chunk_id) for chunk_id in chunk_ids])},
        )
        return {row["chunk_id"]: row["terms"] for row in rows}

    def document(self, document_id: str, generation: int) -> Document:
        """Return the document as it was in the generation.  Raises ``KeyError`` where it was not."""
        return self.documents_of([document_id], generation)[document_id]

    def documents_of(self, document_ids: Iterable[str], generation: int) -> dict[str, Document]:
        """Return the documents that are in the generation, by their ids."""
        rows = self.rows(
            f"SELECT {DOCUMENT_COLUMNS}, {FIGURES} FROM document "
            f"WHERE document_id IN (SELECT value FROM json_each(:ids)) AND {VISIBLE.format('document')}",
            {"ids": json.dumps(list(document_ids)), "generation": generation},
        )
        return {row["document_id"]: document_from_row(row) for row in rows}

    def figure_audiences(self, digest: str) -> frozenset[Audience]:
        """Return the audiences of the documents with a picture, in all kept generations; empty without any."""
        rows = self.rows(
            "SELECT DISTINCT audience FROM figure JOIN document USING (document_key) "
            "WHERE digest = :digest AND first_generation <= (SELECT generation FROM current)",
            {"digest": digest},
        )
        return frozenset(row["audience"] for row in rows)

    def origins(self, generation: int) -> dict[str, StoredDocument]:
        """Return every document of the generation without its text, by document_id; none for generation 0."""
        if generation == 0:
            return {}
        rows = self.rows(
            f"SELECT {ORIGIN_COLUMNS} FROM document WHERE {VISIBLE.format('document')}", {"generation": generation}
        )
        return {row["document_id"]: StoredDocument(*row) for row in rows}

    def document_chunks(self, document_id: str, generation: int) -> tuple[Chunk, ...]:
        """Return the document's chunks in their order; none where the document is not in the generation."""
        rows = self.rows(
            f"SELECT {CHUNK_COLUMNS} FROM document JOIN chunk USING (document_key) "
            f"WHERE document_id = :id AND {VISIBLE.format('document')} ORDER BY ordinal",
            {"id": document_id, "generation": generation},
        )
        return tuple(chunk_from_row(row) for row in rows)

    def visible_chunk_ids(self, generation: int) -> list[int]:
        """Return the numbers of all chunks of the generation, ascending."""
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT chunk_id FROM chunk WHERE {VISIBLE.format('chunk')} ORDER BY chunk_id",
                {"generation": generation},
            )
            return [row[0] for row in rows]

    def languages(self, generation: int) -> dict[Language, int]:
        """Return how many chunks each language has; a language without any is left out."""
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT language, count(*) FROM chunk WHERE {VISIBLE.format('chunk')} GROUP BY language",
                {"generation": generation},
            )
            counts = dict(rows.fetchall())
        known: tuple[Language, ...] = get_args(Language)
        return {language: counts[language] for language in known if language in counts}

    def documents(self, generation: int) -> list[DocumentRow]:
        """Return every document of the generation without its text, by document_id."""
        rows = self.rows(
            "SELECT document_id, path, title, language, source, updated_on, audience, length(text) AS characters, "
            "(SELECT count(*) FROM chunk WHERE chunk.document_key = document.document_key) AS chunk_count, "
            "root, ifnull(json_extract(metadata, '$.valid_until'), '') AS valid_until "
            f"FROM document WHERE {VISIBLE.format('document')} ORDER BY document_id",
            {"generation": generation},
        )
        return [DocumentRow(**{**dict(row), "updated_on": _date(row["updated_on"])}) for row in rows]


def visible_counts(connection: sqlite3.Connection, generation: int) -> tuple[int, int]:
    """Count the documents and chunks that are visible in the generation."""
    documents, chunks = (
        connection.execute(
            f"SELECT count(*) FROM {table} WHERE {VISIBLE.format(table)}", {"generation": generation}
        ).fetchone()[0]
        for table in ("document", "chunk")
    )
    return documents, chunks


def generation_folder(knowledge_folder: Path, generation: int) -> Path:
    """Return the folder of a generation's files: ``generations/000003``."""
    return knowledge_folder / "generations" / f"{generation:06d}"


def _generation_from_row(row: sqlite3.Row) -> GenerationInfo:
    return GenerationInfo(
        generation=row["generation"],
        published_at=datetime.fromisoformat(row["published_at"]),
        embedder_model=row["embedder_model"],
        dimension=row["dimension"],
        document_count=row["document_count"],
        chunk_count=row["chunk_count"],
        change=GenerationChange(
            row["added"], row["changed"], row["retired"], row["restored"], row["lost"], bool(row["forced"])
        ),
    )


def chunk_from_row(row: sqlite3.Row) -> Chunk:
    """Build a chunk from the columns of ``CHUNK_COLUMNS``."""
    return Chunk(
        document_id=row["document_id"],
        document_path=row["path"],
        title=row["title"],
        heading_path=tuple(json.loads(row["heading_path"])),
        text=row["text"],
        start=row["start_offset"],
        end=row["end_offset"],
        ordinal=row["ordinal"],
        language=row["language"],
        chunk_id=row["chunk_id"],
    )


def document_from_row(row: sqlite3.Row) -> Document:
    """Build a document from the columns of ``DOCUMENT_COLUMNS`` and ``FIGURES``.

    A database that an older version wrote may have anything as title and source.  The text stays: offsets count in it.
    """
    return Document(
        document_id=row["document_id"],
        path=row["path"],
        title=one_line(row["title"]),
        text=row["text"],
        language=row["language"],
        source=web_address(row["source"]),
        updated_on=_date(row["updated_on"]),
        audience=row["audience"],
        metadata=json.loads(row["metadata"]),
        figures=tuple(_figure(values) for values in json.loads(row["figures"])),
    )


def _figure(values: Sequence[Any]) -> Figure:
    named = dict(zip((one.name for one in fields(Figure)), values, strict=True))
    return Figure(**{**named, "box": tuple(json.loads(named["box"]))})


def _date(value: str | None) -> date | None:
    return date.fromisoformat(value) if value is not None else None


def engine_owner(folder: Path, *, make: bool = False) -> str:
    """Return the name that a vector engine knows the knowledge base by, twelve hexadecimal digits; empty: none yet.

    Several data folders may use one engine, so each knowledge base has a name of its own there; desks that share it,
    and copies of a data folder, share the name (docs/scale.md).
    With ``make`` there is one afterwards, on the disk.  Raises ``IndexDamaged`` where the file is none, ``OSError``.
    """
    path = folder / ENGINE_NAME
    try:
        found = read_json(path)
    except FileNotFoundError:
        if not make:
            return ""
        owner = secrets.token_hex(6)
        write_whole(path, f'{{"owner": "{owner}"}}\n', durable=True)
        return owner
    except ValueError as error:
        raise IndexDamaged(reason=f"{path} is no JSON") from error
    owner = str(found.get("owner", "")) if isinstance(found, dict) else ""
    if not _OWNER.fullmatch(owner):
        raise IndexDamaged(reason=f"{path} names no owner")
    return owner
