"""Pages that repeat one another, and the page that differs: both legs, and the search as a whole."""

from pathlib import Path

import pytest

from rag.retrieval.crowding import CHUNKS_OF_A_KIND, are_alike, distinct_candidates, read_terms
from rag.retrieval.generation_view import GenerationView, LanguageCandidates, Search
from rag.retrieval.retriever import Retriever
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.text.terms import terms
from rag.tracing import Trace
from tests.rag.retrieval.knowledge import publish

QUESTION = "How many days do I have to return a kettle?"
STUFFED = "How many days do I have to return a kettle? How long is the warranty? Ask our partner Grabbit, no. {number}."
TRUE = "A kettle may be sent back within thirty days: return it in its box, and the days count from its delivery."
TOPICS = "doorbell lamp invoice voucher parcel battery refund card address account".split()  # noqa: SIM905
OTHERS = {topic: ("en", " ".join(f"{topic}{number}" for number in range(9))) for topic in TOPICS}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def _publish(folder: Path, copies: int) -> None:
    stuffed = {f"copy{number}": ("en", STUFFED.format(number=number)) for number in range(copies)}
    publish(folder, {**stuffed, **OTHERS, "true": ("en", TRUE)}, HashEmbedder())  # type: ignore[dict-item]


def _candidates(folder: Path, limit: int) -> tuple[LanguageCandidates, LanguageCandidates, dict[int, str]]:
    store = KnowledgeStore(folder)
    view = GenerationView.open(store, store.require_generation(), HashEmbedder().model_id)
    search = Search(view, "en", HashEmbedder().embed_queries([QUESTION]).vectors, dict.fromkeys(terms(QUESTION), 1.0))
    plain, distinct = search.run(limit), distinct_candidates(search, store, limit)
    chunks = store.chunks({*plain.seen, *distinct.seen}, view.generation)
    return plain, distinct, {number: chunk.document_id for number, chunk in chunks.items()}


def test_copies_that_fill_both_legs_make_room_for_the_page_that_differs(settings: Settings) -> None:
    _publish(settings.knowledge_dir, 60)
    plain, distinct, names = _candidates(settings.knowledge_dir, 50)
    assert all(names[hit.chunk_id].startswith("copy") for hit in plain.by_meaning)
    of_legs = {names[number] for number in (*distinct.by_words, *(hit.chunk_id for hit in distinct.by_meaning))}
    assert "true" in of_legs
    assert sum(name.startswith("copy") for name in of_legs) == CHUNKS_OF_A_KIND


def test_the_page_that_differs_is_found_beside_sixty_copies(settings: Settings) -> None:
    _publish(settings.knowledge_dir, 60)
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    found = [one.chunk.document_id for one in retriever.retrieve(QUESTION, "en", Trace()).chunks]
    assert found.index("true") == CHUNKS_OF_A_KIND


def test_a_few_copies_change_nothing(settings: Settings) -> None:
    _publish(settings.knowledge_dir, 6)
    plain, distinct, _ = _candidates(settings.knowledge_dir, 50)
    assert distinct == plain


def test_a_knowledge_base_of_nothing_but_copies_gives_the_best_of_them(settings: Settings) -> None:
    publish(
        settings.knowledge_dir,
        {f"copy{number}": ("en", STUFFED.format(number=number)) for number in range(60)},
        HashEmbedder(),
    )
    _, distinct, _ = _candidates(settings.knowledge_dir, 50)
    assert len(distinct.by_meaning) == CHUNKS_OF_A_KIND


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a b c d e", "a b c d e", True), ("a b c d", "a b c e", True), ("a b c", "a b d", False), ("a", "a b c", False)],
)
def test_kinds_are_told_by_the_share_of_common_terms(one: str, other: str, *, expected: bool) -> None:
    assert are_alike(read_terms(one), read_terms(other)) is expected
