"""The benchmark's documents: every format can be read, no text is there twice, and the seed decides."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from eval.bench.ingest.corpus import FORMATS, documents, write_corpus
from ingest.loaders.registry import load
from ingest.loaders.source import Limits
from rag.errors import DocumentUnreadable
from rag.schema import Document


def read(folder: Path) -> list[Document]:
    found = [item for path in sorted(folder.rglob("*.*")) for item in load(path, folder, Limits(ocr_pages=0))]
    assert [item for item in found if isinstance(item, DocumentUnreadable)] == []
    return [item for item in found if isinstance(item, Document)]


@pytest.mark.slow
def test_every_format_is_read_with_its_title_or_text(tmp_path: Path) -> None:
    write_corpus(tmp_path, 2 * len(FORMATS), seed=1)
    found = read(tmp_path)
    assert len({document.text for document in found}) == len(found)
    assert {path.suffix[1:] for path in tmp_path.rglob("*.*")} == set(FORMATS)
    languages = Counter(document.language for document in found)
    assert min(languages["zh"], languages["en"]) > 0.35 * len(found)


@pytest.mark.slow
def test_the_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_corpus(tmp_path / name, 10, seed)
    contents = {name: [path.read_bytes() for path in sorted((tmp_path / name).rglob("*.*"))] for name in "abc"}
    assert contents["a"] == contents["b"] != contents["c"]


def test_a_larger_corpus_begins_with_the_smaller_one(tmp_path: Path) -> None:
    write_corpus(tmp_path / "small", 8, 3)
    write_corpus(tmp_path / "large", 16, 3)
    for path in (tmp_path / "small").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "large" / path.relative_to(tmp_path / "small")).read_bytes()


def test_no_two_documents_share_a_title() -> None:
    titles = [document.title for document in islice(documents(5), 400)]
    assert len(set(titles)) == 400
