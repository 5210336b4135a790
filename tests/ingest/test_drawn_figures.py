"""Pictures in documents are found by the words in them: sixty, drawn, through the real OCR, ingest and search."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from docx import Document as WordDocument
from docx.shared import Inches

from ingest.pipeline import ingest
from rag.retrieval.embedder import open_embedder
from rag.retrieval.retriever import Retriever
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace
from tests.ingest.drawn_figures import Drawn, draw, drawn_set

_A_DOCUMENT = 5
_LEAST_FOUND = 0.9
_BEFORE = {
    "en": "Compare what you see with the picture below. If it looks different, write down what you see and the time, "
    "and hand both over to the second line together with the serial number from the type plate.",
    "zh": "请将所见内容与下图对照。如果不一致，请记下所见内容和时间，连同铭牌上的序列号一并转交二线处理。",
}


def manual(pictures: Sequence[Drawn]) -> bytes:
    """Return a Word document that says the same before each picture, and nothing of what is in them."""
    document = WordDocument()
    for one in pictures:
        document.add_paragraph(_BEFORE[one.language])
        document.add_picture(io.BytesIO(draw(one)), width=Inches(5))
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


@pytest.mark.real
@pytest.mark.timeout(1200)  # sixty pictures take a minute, on a machine that has nothing else to do
@pytest.mark.parametrize(
    ("chosen", "nearest"), [((0, 7), 1), pytest.param(range(12), 5, marks=pytest.mark.nightly)], ids=["two", "all"]
)
def test_figures_are_found_by_their_words(tmp_path: Path, chosen: Sequence[int], nearest: int) -> None:
    """A commit reads a document of each language; between them they have every fault.

    Where so few could be found, only the nearest passage counts.  The night reads all twelve.
    """
    every = drawn_set()
    assert (len(every), len({one.name for one in every})) == (60, 60)
    documents = len(chosen)
    pictures = [one for number in chosen for one in every[number * _A_DOCUMENT : (number + 1) * _A_DOCUMENT]]
    assert {one.fault for one in pictures} == {one.fault for one in every}
    folder = tmp_path / "manuals"
    folder.mkdir()
    places: dict[str, tuple[str, int]] = {}
    for begin in range(0, len(pictures), _A_DOCUMENT):
        shown = pictures[begin : begin + _A_DOCUMENT]
        name = f"{shown[0].language}-{begin:02}.docx"
        (folder / name).write_bytes(manual(shown))
        places |= {one.name: (name, number) for number, one in enumerate(shown)}
    settings = Settings(data_dir=tmp_path / "data", reading_timeout_seconds=600)
    embedder = open_embedder(settings)
    summary = ingest([folder], settings, embedder)
    assert (summary.documents, summary.failures) == (documents, ())
    with KnowledgeStore(settings.knowledge_dir) as store:
        retriever = Retriever(store, embedder, settings)
        read = {name: store.document(name, 1) for name in sorted({name for name, _ in places.values()})}
        assert [len(document.figures) for document in read.values()] == [_A_DOCUMENT] * documents
        lost = []
        for one in pictures:
            name, number = places[one.name]
            figure = read[name].figures[number]
            found = retriever.retrieve(one.question, one.language, Trace()).chunks[:nearest]
            chunks = [found.chunk for found in found]
            if not any(
                chunk.document_id == name and chunk.start < figure.end and figure.start < chunk.end for chunk in chunks
            ):
                lost.append((one.name, one.fault, figure.words))
    assert len(lost) <= (1 - _LEAST_FOUND) * len(pictures), lost
