"""The whole search on real files, with the shipped fake embedder."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag.errors import EmbedderMismatch, IndexDamaged, KnowledgeBaseMissing
from rag.protocols import QueryVectors
from rag.retrieval.confidence import Confidence
from rag.retrieval.filters import Expansion, SearchOptions
from rag.retrieval.generation_view import GenerationView, Search
from rag.retrieval.ranking import TRANSLATED_LATE
from rag.retrieval.retriever import Retriever, search_view
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.rag.retrieval.knowledge import publish

pytestmark = pytest.mark.slow

DOCUMENTS: dict[str, tuple[Language, str]] = {
    "refund": ("en", "a refund reaches your card within seven working days"),
    "battery": ("en", "replace the battery of the doorbell every two years"),
    "w203": ("en", "error W-203 means that the water tank is empty"),
    "退货": ("zh", "签收后七天内可以无理由退货"),
    "报警": ("zh", "报警 W-203 表示水箱缺水"),
}
COVERED = Confidence(intercept=-2.0, weights={"coverage": 6.0}, threshold=0.5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def retriever(settings: Settings) -> Retriever:
    publish(settings.knowledge_dir, DOCUMENTS, HashEmbedder())
    return Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings, COVERED)


def documents(retriever: Retriever, question: str, language: Language = "en") -> list[str]:
    return [one.chunk.document_id for one in retriever.retrieve(question, language, Trace()).chunks]


def test_the_right_passage_first(retriever: Retriever) -> None:
    assert documents(retriever, "when does the refund reach my card?")[0] == "refund"
    assert documents(retriever, "七天内可以退货吗", "zh")[0] == "退货"


def test_scores_say_which_leg_found_it(retriever: Retriever) -> None:
    chunks = retriever.retrieve("refund", "en", Trace()).chunks
    assert chunks[0].cosine is not None
    assert chunks[0].bm25 is not None
    assert chunks[-1].bm25 is None
    assert all(one.cosine is not None and one.late is not None for one in chunks)
    scores = [one.score for one in chunks]
    assert scores == sorted(scores, reverse=True)


def test_words_are_found_in_the_documents_of_both_languages(retriever: Retriever) -> None:
    by_words = {one.chunk.document_id for one in retriever.retrieve("W203 tank 退货", "en", Trace()).chunks if one.bm25}
    assert by_words == {"w203", "报警", "退货"}


def test_of_a_third_language_only_codes_are_searched_and_no_word_is_mended(retriever: Retriever) -> None:
    question = "Was bedeutet W-203, und wo ist die baterie zu finden?"
    by_words = {one.chunk.document_id for one in retriever.retrieve(question, "en", Trace()).chunks if one.bm25}
    assert by_words == {"w203", "报警"}
    searched = retriever.prepare(question, "en").whole
    assert (searched.question, searched.language) == (question, "de")
    assert retriever.prepare("where is the batery of it?", "en").whole.question == "where is the battery of it?"


def test_a_passage_with_a_line_for_the_question_s_number_comes_first(settings: Settings) -> None:
    texts: dict[str, tuple[Language, str]] = {
        "send": ("en", "SendMessage returned a RetCode since yesterday. A test of SendMessage returned a RetCode."),
        "codes": ("en", "| 18018 | Template |\n| 18019 | Over 1000 numbers at once |\n| 18023 | Blocked words |"),
        "price": ("en", "18019 messages were sent yesterday, and SendMessage returned nothing."),
    }
    publish(settings.knowledge_dir, texts, HashEmbedder())
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    assert documents(retriever, 'SendMessage returned {"RetCode":18019} since yesterday')[0] == "codes"
    assert documents(retriever, "SendMessage returned a RetCode since yesterday, for 18019 messages")[0] == "send"


def test_the_passage_with_the_question_s_own_words_comes_first_by_late_interaction(settings: Settings) -> None:
    texts: dict[str, tuple[Language, str]] = {
        "all": ("en", "reset the vacuum robot by holding home for ten seconds until it speaks"),
        "part": ("en", "reset reset reset vacuum"),
        "other": ("en", "descale the kettle with citric acid"),
    }
    publish(settings.knowledge_dir, texts, HashEmbedder())
    found = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings).retrieve(
        "reset vacuum robot holding home", "en", Trace()
    )
    late = {one.chunk.document_id: one.late for one in found.chunks}
    assert late["all"] == pytest.approx(1.0)  # every word of the question is there
    assert found.chunks[0].chunk.document_id == "all"
    assert late["other"] is not None
    assert late["other"] < 0.7


def test_a_knowledge_base_without_tokens_is_ranked_without_them(settings: Settings, retriever: Retriever) -> None:
    with KnowledgeStore(settings.knowledge_dir).transaction() as connection:
        connection.execute("UPDATE embedding SET token_numbers = NULL, token_signs = NULL")
    found = retriever.retrieve("when does the refund reach my card?", "en", Trace()).chunks
    assert found[0].chunk.document_id == "refund"
    assert {one.late for one in found} == {None}
    assert documents(retriever, "七天内可以退货吗", "zh")[0] == "退货"


def test_only_the_other_language_has_it(settings: Settings, retriever: Retriever) -> None:
    assert "报警" in documents(retriever, "水箱缺水 报警", "en")[:2]


def test_the_language_whose_documents_alone_have_a_name_of_the_conversation_leads(settings: Settings) -> None:
    texts: dict[str, tuple[Language, str]] = {
        "parity": ("en", "Unraid: a failed parity disk is replaced while the array is stopped"),
        "boot": ("en", "Unraid: the boot device moves to a new stick once a year"),
        "卡": ("zh", "换卡的费用是一美元"),
        "盘": ("zh", "换盘的申请在三天内办好"),
        "退款": ("zh", "退款会在七天内到账"),
    }
    publish(settings.knowledge_dir, texts, HashEmbedder())
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    assert documents(retriever, "换盘要几天", "zh")[0] == "盘"
    assert set(documents(retriever, "unraid 换盘要几天", "zh")[:2]) == {"parity", "boot"}
    follow_up = retriever.retrieve("那换盘呢", "zh", Trace(), SearchOptions(["Unraid 的启动盘怎么换"]))
    assert {one.chunk.document_id for one in follow_up.chunks[:2]} == {"parity", "boot"}
    assert documents(retriever, "换盘 parity", "zh")[0] == "盘"  # one passage may mention it in passing

    query = retriever.prepare("unraid 的 parity disk 怎么换", "zh").whole
    store = KnowledgeStore(settings.knowledge_dir)
    named = search_view(GenerationView.open(store, 1, HashEmbedder().model_id), store, query, 10)
    late = max(one.late or 0.0 for one in named.chunks if one.chunk.language == "en")
    assert named.signals.late == pytest.approx(late / TRANSLATED_LATE)  # as if its words were the question's


def test_nothing_but_punctuation_finds_something_and_breaks_nothing(retriever: Retriever) -> None:
    assert len(documents(retriever, "???")) == 5


@pytest.mark.parametrize(
    ("earlier", "question", "language", "expected"),
    [
        (["how do I replace the battery?"], "how many years does it take?", "en", "battery"),
        (["when does the refund reach my card?", "thanks!"], "and how many days?", "en", "refund"),
        (["what does error W-203 mean?"], "battery of the doorbell", "en", "battery"),
        (["签收后可以退货吗"], "几天", "zh", "退货"),
        (["签收后可以退货吗"], "报警 W-203 表示什么", "zh", "报警"),
    ],
)
def test_a_follow_up_leans_on_the_question_before_and_a_new_topic_does_not(
    retriever: Retriever, earlier: list[str], question: str, language: Language, expected: str
) -> None:
    found = retriever.retrieve(question, language, Trace(), SearchOptions(earlier))
    assert found.chunks[0].chunk.document_id == expected


def test_parts_are_searched_but_for_one_that_is_most_of_the_question(retriever: Retriever) -> None:
    def parts(question: str) -> list[tuple[str, bool]]:
        prepared = retriever.prepare(question, "en", ["is the battery recalled?"])
        return [(part.question, part.wider is not None) for part in prepared.parts]

    # the first goes on from the conversation; of the others only one that leans on the part before it
    assert parts("when does the refund reach my card, how do I replace the doorbell battery, and how long is it?") == [
        ("when does the refund reach my card", True),
        ("how do I replace the doorbell battery", False),
        ("how long is it", True),
    ]
    assert parts("when does the refund reach my card after I returned the doorbell, and how much?") == [
        ("how much", True),
    ]


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("簽收後可以無理由退貨嗎", "zh", "退货"),
        ("error W 203", "en", "w203"),
        ("error Ｗ－２０３", "en", "w203"),
        ("replace the batery of the dorobell", "en", "battery"),
    ],
)
def test_other_ways_of_writing_find_the_same(
    retriever: Retriever, question: str, language: Language, expected: str
) -> None:
    found = retriever.retrieve(question, language, Trace()).chunks
    assert found[0].chunk.document_id == expected
    assert found[0].bm25 is not None


def test_what_is_near_the_second_vector_is_looked_at_as_well(settings: Settings, retriever: Retriever) -> None:
    store = KnowledgeStore(settings.knowledge_dir)
    view = GenerationView.open(store, store.require_generation(), HashEmbedder().model_id)
    own, wider = HashEmbedder().embed_queries(["battery of the doorbell", "a refund reaches your card"]).vectors
    alone = Search(view, "en", own[np.newaxis], {"battery": 1.0}).run(1)
    both = Search(view, "en", own[np.newaxis], {"battery": 1.0}, wider[np.newaxis]).run(1)
    names = {number: chunk.document_id for number, chunk in store.chunks(both.seen, view.generation).items()}
    assert alone.wider == ()
    assert "refund" not in {names[number] for number in alone.seen}
    assert "refund" in {names[number] for number in both.wider}
    assert both.by_meaning == alone.by_meaning
    assert all(both.seen[number] == hit for number, hit in alone.seen.items())


def test_confidence_decides(settings: Settings, retriever: Retriever) -> None:
    sure = retriever.retrieve("battery of the doorbell", "en", Trace())
    unsure = retriever.retrieve("weather in Bristol tomorrow", "en", Trace())
    assert sure.answerable
    assert not unsure.answerable
    assert sure.answerable_probability > 0.9 > 0.5 > unsure.answerable_probability
    trusting = Retriever(
        KnowledgeStore(settings.knowledge_dir),
        HashEmbedder(),
        settings.model_copy(update={"refusal_threshold": 0.0}),
        COVERED,
    )
    assert trusting.retrieve("weather in Bristol tomorrow", "en", Trace()).answerable
    assert not sure.is_doubtful
    barely = Retriever(
        KnowledgeStore(settings.knowledge_dir),
        HashEmbedder(),
        settings.changed(refusal_threshold=sure.answerable_probability - 0.1),
        COVERED,
    )
    found = barely.retrieve("battery of the doorbell", "en", Trace())
    assert (found.answerable, found.is_doubtful) == (True, True)


def test_the_fit_for_any_embedder_serves_the_fake_one(settings: Settings, retriever: Retriever) -> None:
    shipped = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    assert shipped.retrieve("battery of the doorbell", "en", Trace()).answerable


def test_a_code_that_a_passage_has_is_not_refused_for_the_words_around_it(settings: Settings) -> None:
    publish(settings.knowledge_dir, DOCUMENTS, HashEmbedder())
    never = Confidence(intercept=-9.0, weights={"coverage": 1.0}, threshold=0.5)
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings, never)
    named = retriever.retrieve("why would mine say W-203?", "en", Trace())
    assert named.answerable
    assert named.answerable_probability < named.threshold
    assert not retriever.retrieve("why would mine say W-204?", "en", Trace()).answerable
    assert not named.is_doubtful
    assert not retriever.retrieve("does W-203 come from W-204?", "en", Trace()).answerable
    refusing = Retriever(
        KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings.changed(refusal_threshold=1.0), never
    )
    assert not refusing.retrieve("why would mine say W-203?", "en", Trace()).answerable


def test_stages_are_timed(retriever: Retriever) -> None:
    trace = Trace()
    retriever.retrieve("refund", "en", trace)
    assert [span.name for span in trace.spans()] == ["embed", "search"]


def test_no_knowledge_base(settings: Settings) -> None:
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    with pytest.raises(KnowledgeBaseMissing):
        retriever.retrieve("refund", "en", Trace())


def test_an_index_of_another_embedder(settings: Settings, retriever: Retriever) -> None:
    other = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(32), settings)
    with pytest.raises(EmbedderMismatch):
        other.retrieve("refund", "en", Trace())


def test_a_damaged_index(settings: Settings, retriever: Retriever) -> None:
    next(settings.knowledge_dir.rglob("*.faiss")).write_bytes(b"gone")
    with pytest.raises(IndexDamaged):
        retriever.retrieve("refund", "en", Trace())


def test_a_new_generation_is_seen_and_the_retired_never_shows(settings: Settings, retriever: Retriever) -> None:
    assert "battery" in documents(retriever, "battery of the doorbell")
    generation = publish(
        settings.knowledge_dir,
        {"refund": ("en", "a refund now takes three working days")},
        HashEmbedder(),
        retire=["battery"],
    )
    retrieval = retriever.retrieve("battery refund", "en", Trace())
    assert retrieval.generation == generation
    assert "battery" not in {one.chunk.document_id for one in retrieval.chunks}
    assert [one.chunk.text for one in retrieval.chunks if one.chunk.document_id == "refund"] == [
        "a refund now takes three working days"
    ]


def test_other_words_stand_behind_what_was_found_and_are_searched_alone(
    settings: Settings, retriever: Retriever
) -> None:
    question = "when does the refund reach my card?"
    found = retriever.retrieve(question, "en", Trace())
    words = SearchOptions(expansion=Expansion("replace the battery of the doorbell", "en", found))
    expanded = retriever.retrieve(question, "en", Trace(), words)
    assert {one.chunk.chunk_id for one in expanded.chunks} == {one.chunk.chunk_id for one in found.chunks}
    assert expanded.chunks[0].chunk == found.chunks[0].chunk
    assert expanded.answerable_probability == found.answerable_probability
    (part,) = expanded.parts
    assert part.chunks[0].chunk.document_id == "battery"
    publish(settings.knowledge_dir, DOCUMENTS | {"new": ("en", "replace the battery")}, HashEmbedder())
    assert retriever.retrieve(question, "en", Trace(), words) is found, "another generation was published since"


class PublishingEmbedder(HashEmbedder):
    """Publishes a generation while a question is under way, after it was opened."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        publish(self.folder, {"refund": ("en", f"refund number {texts[0]}")}, HashEmbedder())
        return super().embed_queries(texts)


def test_many_threads_while_generations_are_published(settings: Settings, retriever: Retriever) -> None:
    lock = threading.Lock()

    class Locked(PublishingEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
            with lock:
                return super().embed_queries(texts)

    changing = Retriever(KnowledgeStore(settings.knowledge_dir), Locked(settings.knowledge_dir), settings, COVERED)

    def ask(number: int) -> tuple[int, list[str]]:
        retrieval = changing.retrieve(f"refund {number}", "en", Trace())
        return retrieval.generation, [one.chunk.text for one in retrieval.chunks if one.chunk.document_id == "refund"]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(8)))
    assert all(len(texts) == 1 for _, texts in answers)  # one refund article a generation, never two and never none
    assert len({texts[0] for _, texts in answers}) == len({generation for generation, _ in answers})
