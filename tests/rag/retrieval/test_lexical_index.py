"""BM25 in SQLite against numbers worked out by hand, in both languages and over generations."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieval.generation_view import GenerationView
from rag.retrieval.lexical_index import Bm25Index, TermWeight, indexed_terms
from rag.schema import Chunk
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.text.terms import terms
from tests.rag.retrieval.knowledge import publish

DOCUMENTS = {
    "refund": ("en", "refund within seven days"),
    "battery": ("en", "battery battery safety"),
    "code": ("en", "error W-203 means water"),
    "退货": ("zh", "七天无理由退货"),
    "报警": ("zh", "报警 W203 缺水"),
}


def open_index(folder: Path, generation: int) -> Bm25Index:
    return GenerationView.open(KnowledgeStore(folder), generation, HashEmbedder().model_id).lexical


@pytest.fixture
def index(tmp_path: Path) -> Bm25Index:
    return open_index(tmp_path, publish(tmp_path, DOCUMENTS, HashEmbedder()))  # type: ignore[arg-type]


def found(index: Bm25Index, query: str) -> list[str]:
    return [list(DOCUMENTS)[hit.chunk_id - 1] for hit in index.search(query, 10)]


def test_words_codes_and_chinese_pairs(index: Bm25Index) -> None:
    assert found(index, "REFUND please") == ["refund"]
    assert found(index, "无理由") == ["退货"]
    assert set(found(index, "w203 ?")) == {"code", "报警"}
    assert found(index, "nothing of this") == []
    assert found(index, "！？ … 🙂") == []


def test_bm25_by_hand(index: Bm25Index) -> None:
    # as in SQLite's FTS5: idf ln((N - n + .5) / (n + .5)), k1 1.2, b .75
    # one of 5 rows has the term, twice among its 3 terms
    lengths = [len(terms(text)) for _, text in DOCUMENTS.values()]
    length, mean = 3, sum(lengths) / len(lengths)
    idf = math.log((5 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 * (1.2 + 1) / (2 + 1.2 * (1 - 0.75 + 0.75 * length / mean))
    (hit,) = index.search("battery", 10)
    assert hit.score == pytest.approx(expected, rel=1e-3)  # impacts have eleven bits
    (halved,) = index.scores({"battery": 0.5}).best(10)
    assert halved.score == pytest.approx(hit.score / 2, rel=1e-3)
    scores = index.scores({"battery": 1.0})
    assert scores.of([1, 2, 99]) == {2: hit.score}


def test_term_weights_by_hand(index: Bm25Index) -> None:
    weights = index.term_weights(["battery", "w203", "battery", "unheard"])
    assert weights == {
        "battery": TermWeight(1, pytest.approx(math.log(1 + 4.5 / 1.5))),
        "w203": TermWeight(2, pytest.approx(math.log(1 + 3.5 / 2.5))),
        "unheard": TermWeight(0, pytest.approx(math.log(1 + 5.5 / 0.5))),
    }


def test_one_language(index: Bm25Index) -> None:
    assert len(index.search_terms(["w203"], 10)) == 2
    assert len(index.search_terms(["w203"], 10, "zh")) == 1


def test_names_that_only_the_other_language_has(tmp_path: Path) -> None:
    documents = {
        **DOCUMENTS,
        "unraid": ("en", "Unraid boots from a stick, as Linux does"),
        "array": ("en", "Unraid arrays and Linux shares"),
        "共享": ("zh", "Linux 共享"),
    }
    index = open_index(tmp_path, publish(tmp_path, documents, HashEmbedder()))  # type: ignore[arg-type]
    assert index.are_elsewhere(["unraid"], "zh")
    assert index.are_elsewhere(["linux", "unraid"], "zh")
    assert not index.are_elsewhere(["unraid"], "en")
    assert not index.are_elsewhere(["linux", "water", "nas"], "zh")  # in both, in one passage, in none
    assert not index.are_elsewhere([], "zh")
    assert not index.are_elsewhere(["unraid"], "de")  # its documents are in neither


def test_no_term_and_no_room(index: Bm25Index) -> None:
    assert index.search_terms([], 10) == []
    assert index.search("battery", 0) == []


def test_every_generation_sees_its_own(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    first = publish(tmp_path, {"a": ("en", "old fee"), "b": ("en", "fee table")}, embedder)
    second = publish(tmp_path, {"a": ("en", "new fee")}, embedder, retire=["b"])
    store = KnowledgeStore(tmp_path)
    seen = {
        generation: {
            chunk.text
            for chunk in store.chunks(
                [hit.chunk_id for hit in open_index(tmp_path, generation).search("fee", 10)], generation
            ).values()
        }
        for generation in (first, second)
    }
    assert seen == {first: {"old fee", "fee table"}, second: {"new fee"}}


def test_indexed_terms_hold_the_titles() -> None:
    chunk = Chunk("d", "d.md", "Invoices", ("Invoices", "VAT"), "Ask within 180 days", 0, 19, 0, "en")
    assert indexed_terms(chunk) == "invoices vat ask within 180 days"


@pytest.mark.slow
@given(st.text(max_size=60))
def test_any_question_is_a_valid_search(tmp_path_factory: pytest.TempPathFactory, question: str) -> None:
    folder = _SHARED.setdefault("folder", tmp_path_factory.mktemp("lexical"))
    store = KnowledgeStore(folder)
    if not store.current_generation():
        publish(folder, DOCUMENTS, HashEmbedder())  # type: ignore[arg-type]
    store.close()
    index = _OPENED.setdefault("index", open_index(folder, 1))
    assert all(hit.score >= 0 for hit in index.search(question, 5))


_SHARED: dict[str, Path] = {}
_OPENED: dict[str, Bm25Index] = {}
