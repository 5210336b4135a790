"""Each kind of damage is found and named; a rebuild mends it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ingest.check import Finding, check
from ingest.pipeline import IngestOptions, ingest
from ingest.publish import rollback
from rag.errors import KnowledgeBaseMissing
from rag.storage.store import DATABASE_NAME
from tests.ingest.conftest import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def ingested(desk: Desk) -> Desk:
    desk.ingest()
    return desk


@contextmanager
def rows_of(desk: Desk) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(desk.settings.knowledge_dir / DATABASE_NAME)) as connection:
        yield connection
        connection.commit()


def findings(desk: Desk) -> dict[str, Finding]:
    return {finding.problem: finding for finding in check(desk.settings.knowledge_dir).findings}


def test_a_sound_knowledge_base_has_no_findings_in_any_generation(ingested: Desk) -> None:
    ingested.write("new.md", "# New\n\nSomething new.")
    (ingested.manual / "运费.txt").unlink()
    ingested.ingest(prune=True)
    report = check(ingested.settings.knowledge_dir)
    assert (report.generation, report.documents, report.findings) == (2, 4, ())


def test_without_a_knowledge_base(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeBaseMissing):
        check(tmp_path)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE chunk SET start_offset = start_offset + 1 WHERE chunk_id = 1", "offsets"),
        ("UPDATE chunk SET text = 'else' WHERE chunk_id = 1", "hashes"),
        ("UPDATE chunk SET embedding_hash = x'00' WHERE chunk_id = 1", "hashes"),
        ("UPDATE chunk SET terms = '' WHERE chunk_id = 1", "postings"),
        ("UPDATE chunk SET terms = 'other words' WHERE chunk_id = 1", "postings"),
        ("DELETE FROM embedding WHERE rowid = 1", "vectors"),
        ("UPDATE embedding SET vector = x'00' WHERE rowid = 1", "vectors"),
        ("UPDATE embedding SET vector = zeroblob(256) WHERE rowid = 1", "vectors"),
        ("UPDATE embedding SET token_signs = x'00' WHERE rowid = 1", "tokens"),
        ("UPDATE embedding SET token_signs = x'' WHERE rowid = 1", "tokens"),
        ("UPDATE embedding SET token_numbers = x'0000' WHERE rowid = 1", "tokens"),
        ("UPDATE embedding SET token_numbers = zeroblob(4000) WHERE rowid = 1", "tokens"),
        ("DELETE FROM chunk WHERE chunk_id = 1", "counts"),
        ("DELETE FROM document WHERE document_key = 1", "counts"),
    ],
)
def test_damaged_rows_are_named_and_mended(ingested: Desk, damage: str, problem: str) -> None:
    with rows_of(ingested) as connection:
        connection.execute(damage)
    found = findings(ingested)
    assert problem in found
    assert found[problem].count >= 1
    assert found[problem].example
    ingested.ingest(rebuild=True)
    assert findings(ingested) == {}


def test_a_damaged_index_file(ingested: Desk) -> None:
    index = ingested.store.generation_folder(1) / "en-base.faiss"
    index.write_bytes(index.read_bytes()[:-1] + b"?")
    assert "sha256" in findings(ingested)["index"].example
    index.unlink()
    assert "en-base.faiss" in findings(ingested)["index"].example
    ingested.ingest(rebuild=True)
    assert findings(ingested) == {}


def test_another_generations_index_files(ingested: Desk) -> None:
    ingested.write("new.md", "# New\n\nSomething new.")
    ingested.ingest()
    folder = ingested.store.generation_folder(2)
    shutil.rmtree(folder)
    shutil.copytree(ingested.store.generation_folder(1), folder)
    assert findings(ingested)["index"].count == 1


def test_only_what_is_damaged_is_embedded_anew(ingested: Desk) -> None:
    with rows_of(ingested) as connection:
        connection.execute("UPDATE embedding SET token_signs = x'00' WHERE rowid = 1")
        connection.execute("UPDATE embedding SET vector = zeroblob(256) WHERE rowid = 2")
    ingested.embedder.embedded.clear()
    ingest([], ingested.settings, ingested.embedder, IngestOptions(rebuild=True, keep_vectors=True))
    assert len(ingested.embedder.embedded) == 2


@pytest.mark.parametrize(
    ("field", "value", "example"),
    [
        ("vector", "(SELECT vector FROM embedding WHERE rowid = 2)", "vectors differ"),
        ("terms", "'gift we'", "postings differ"),
    ],
)
def test_an_index_that_other_rows_made(ingested: Desk, field: str, value: str, example: str) -> None:
    table = "embedding" if field == "vector" else "chunk"
    with rows_of(ingested) as connection:
        connection.execute(f"UPDATE {table} SET {field} = {value} WHERE rowid = 1")
    assert findings(ingested)["index"].example == example


def test_what_came_and_went_agrees_too(ingested: Desk) -> None:
    ingested.write("many.jsonl", "".join(f'{{"id": "m{n}", "text": "Number {n}."}}\n' for n in range(60)))
    ingested.ingest()
    ingested.write("returns/deadline.md", "# Deadline\n\nReturn it within 14 days.")
    ingested.ingest()
    folder = ingested.store.generation_folder(3)
    assert (folder / "en-fresh.faiss").exists()
    assert findings(ingested) == {}
    rollback(ingested.settings.knowledge_dir)
    assert findings(ingested) == {}
    fresh = ingested.store.generation_folder(4) / "en-fresh.postings.npz"
    fresh.write_bytes(fresh.read_bytes()[::-1])
    assert "sha256" in findings(ingested)["index"].example
    ingested.ingest(rebuild=True)
    assert findings(ingested) == {}
