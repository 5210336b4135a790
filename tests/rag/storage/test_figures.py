"""Pictures beside a knowledge base: kept by what they hold, and gone with the last generation that shows them."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from rag.schema import Document, Figure
from rag.storage.figures import LARGEST_FIGURE_BYTES, FigureFolder
from rag.storage.store import KEPT_GENERATIONS, KnowledgeStore, StoredDocument
from rag.storage.writer import KnowledgeWriter, NewDocument

CONTENT = b"RIFF\x08\0\0\0WEBPone"
OTHER = b"RIFF\x08\0\0\0WEBPtwo"
FIGURE = Figure(sha256(CONTENT).hexdigest(), 4, 12, 600, 400, 2, (0.1, 0.2, 0.5, 0.9), "alt", "caption", "E-42")


def document(name: str, *figures: Figure) -> Document:
    return Document(name, f"/manual/{name}", name, "One [Figure] two.", "en", figures=figures)


class Base:
    """A knowledge base whose generations hold documents without passages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.figures = FigureFolder(folder)
        self.writer = KnowledgeWriter(folder)
        self.store = KnowledgeStore(folder)

    def publish(self, *documents: Document, gone: Sequence[str] = (), pictures: Sequence[bytes] = ()) -> int:
        generation = self.writer.begin()
        for content in pictures:
            self.figures.keep(content)
        self.write(generation, *documents)
        self.writer.retire(gone, generation)
        self.writer.publish(generation, "hash", 4)
        self.writer.delete_older()
        return generation

    def write(self, generation: int, *documents: Document) -> None:
        new = [
            NewDocument(one, StoredDocument(one.document_id, "/manual", one.document_id, one.path, bytes(32), "1"), ())
            for one in documents
        ]
        self.writer.replace(new, generation)

    def files(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("figures/*/*"))


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path / "default")


def test_a_document_comes_back_with_its_figures(base: Base) -> None:
    second = replace(FIGURE, digest=sha256(OTHER).hexdigest(), start=13, end=16, page=0, box=())
    generation = base.publish(document("a.docx", FIGURE, second), document("b.md"))
    assert base.store.document("a.docx", generation).figures == (FIGURE, second)
    assert base.store.document("b.md", generation).figures == ()
    assert [one.figures for one in base.writer.live_texts(["a.docx"])] == [(FIGURE, second)]


def test_a_picture_stays_as_long_as_a_kept_generation_shows_it(base: Base) -> None:
    base.publish(document("a.docx", FIGURE), pictures=[CONTENT])
    base.publish(document("b.md"), gone=["a.docx"])
    for number in range(KEPT_GENERATIONS - 2):
        base.publish(document(f"{number}.md"))
    assert base.files() == [FIGURE.digest]
    base.publish(document("last.md"))
    assert base.files() == []
    assert not list(base.folder.glob("figures/*"))


def test_what_a_killed_ingest_left_is_deleted_by_the_next_one(base: Base) -> None:
    base.publish(document("a.docx", FIGURE), pictures=[CONTENT])
    base.write(base.writer.begin(), document("b.docx", replace(FIGURE, digest=sha256(OTHER).hexdigest())))
    base.figures.keep(OTHER)
    (base.folder / "figures" / FIGURE.digest[:2] / ".unfinished.part").write_bytes(b"RI")
    assert len(list(base.folder.glob("figures/*/*"))) == 3
    base.writer.begin()
    assert base.files() == [FIGURE.digest]


def test_a_rollback_shows_them_again(base: Base) -> None:
    first = base.publish(document("a.docx", FIGURE))
    base.publish(gone=["a.docx"])
    generation = base.writer.begin()
    base.writer.restore(first, generation)
    base.writer.publish(generation, "hash", 4)
    assert base.store.document("a.docx", generation).figures == (FIGURE,)


def test_for_whom_a_picture_is_follows_from_its_documents(base: Base) -> None:
    base.publish(replace(document("a.docx", FIGURE), audience="internal"))
    assert base.store.figure_audiences(FIGURE.digest) == {"internal"}
    assert base.store.figure_audiences(sha256(OTHER).hexdigest()) == frozenset()
    base.write(base.writer.begin(), document("b.docx", FIGURE))  # not published yet
    assert base.store.figure_audiences(FIGURE.digest) == {"internal"}
    base.publish(document("b.docx", FIGURE))
    assert base.store.figure_audiences(FIGURE.digest) == {"internal", "public"}


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    folder = FigureFolder(tmp_path)
    assert (folder.exists(), folder.read(FIGURE.digest)) == (False, None)
    assert folder.keep(CONTENT) == folder.keep(CONTENT) == FIGURE.digest
    assert (folder.exists(), folder.read(FIGURE.digest)) == (True, CONTENT)
    assert folder.read("../knowledge.db") is None
    (path,) = tmp_path.glob("figures/*/*")
    path.write_bytes(OTHER)
    assert folder.read(FIGURE.digest) is None


@pytest.mark.parametrize(
    "content",
    [b"<svg/>", b"\x89PNG\r\n\x1a\n", b"RIFF\x08\0\0\0WAVE", CONTENT + bytes(LARGEST_FIGURE_BYTES)],
    ids=["svg", "png", "sound", "large"],
)
def test_nothing_else_is_kept(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match="no picture"):
        FigureFolder(tmp_path).keep(content)
