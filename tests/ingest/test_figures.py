"""Figures through an ingest: from the reading process to the passage that a question finds."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from ingest.check import check
from ingest.difference import difference
from ingest.pipeline import IngestOptions, ingest
from ingest.reader import FileReader, _require_own_figures, _WorkerLostError
from rag.schema import Document, Figure
from rag.storage.figures import FigureFolder
from tests.ingest.conftest import Desk
from tests.ingest.loaders.test_figures import picture, word

pytestmark = pytest.mark.slow


@pytest.fixture
def illustrated(desk: Desk, reader_of_figures: FileReader) -> Desk:
    """The manual with an illustrated document, ingested."""
    desk.settings = desk.settings.changed(ocr_limit_pages=0, figure_limit=5)
    desk.reader = reader_of_figures
    (desk.manual / "lamp.docx").write_bytes(word("Press it.", picture("x"), "Figure 1: The reset button"))
    desk.ingest()
    return desk


def test_a_figure_is_part_of_its_passage_and_its_picture_is_kept(illustrated: Desk) -> None:
    store = illustrated.store
    document = store.document("lamp.docx", 1)
    (figure,) = document.figures
    assert document.text[figure.start : figure.end] == "[Figure: Figure 1: The reset button]"
    (chunk,) = store.document_chunks("lamp.docx", 1)
    assert chunk.text == document.text[chunk.start : chunk.end]
    assert "[Figure: Figure 1: The reset button]" in chunk.text
    content = FigureFolder(illustrated.settings.knowledge_dir).read(figure.digest)
    assert content is not None
    assert sha256(content).hexdigest() == figure.digest
    assert check(illustrated.settings.knowledge_dir).findings == ()


def test_an_illustrated_document_is_the_same_the_next_time(illustrated: Desk) -> None:
    changes = difference([illustrated.manual], illustrated.settings, reader=illustrated.reader, reread=True)
    assert (changes.added, changes.changed, changes.unchanged) == ((), (), 5)
    summary = illustrated.ingest(reread=True)
    assert (summary.unchanged, summary.generation) == (5, 1)


def test_cutting_again_from_the_store_keeps_the_figures(illustrated: Desk) -> None:
    before = illustrated.store.document("lamp.docx", 1).figures
    ingest((), illustrated.settings, illustrated.embedder, IngestOptions(rebuild=True), reader=illustrated.reader)
    assert illustrated.store.document("lamp.docx", 2).figures == before != ()


def test_a_missing_picture_is_found_and_comes_back(illustrated: Desk) -> None:
    folder = illustrated.settings.knowledge_dir
    (path,) = folder.glob("figures/*/*")
    path.unlink()
    (finding,) = check(folder).findings
    assert (finding.problem, finding.count) == ("figures", 1)
    illustrated.ingest(reread=True)
    assert check(folder).findings == ()


def test_a_worker_that_names_a_picture_of_another_document_was_taken_over() -> None:
    own = Figure("a" * 64, 0, 3, 100, 100)
    document = Document("a.md", "/a.md", "A", "One", "en", figures=(own,))
    assert _require_own_figures(document, {own.digest}) is document
    for wrong in (replace(own, digest="b" * 64), replace(own, end=4), replace(own, start=-1)):
        with pytest.raises(_WorkerLostError, match="malformed"):
            _require_own_figures(replace(document, figures=(wrong,)), {own.digest})


def test_a_customers_file_has_no_figures(tmp_path: Path, reader_of_figures: FileReader) -> None:
    content = word("It does not start.", picture("x"))
    (words,) = [one for one in reader_of_figures.read_customer_file("a.docx", content) if isinstance(one, str)]
    assert words == "It does not start."
