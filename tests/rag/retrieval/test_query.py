"""What is searched for a question: its wording, a team's own synonyms, and what it takes from the one before it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import FileUnusable, GlossaryUnusable, SettingsError
from rag.protocols import Embedder, QueryTokens, QueryVectors
from rag.retrieval.query import (
    EARLIER_SHARE,
    Glossary,
    Query,
    SearchRequest,
    Wording,
    corrected,
    glossary_of,
    queries_of,
)
from rag.retrieval.question import last_real_question, may_be_follow_up
from rag.retrieval.retriever import Retriever
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.rag.retrieval.knowledge import publish

EMBEDDER = HashEmbedder()
WORDS = "# ours, theirs\n\nrobo, vacuum robot，扫地机器人\n快递、包裹; parcel\n"


def in_both(question: str, language: Language, previous: str, embedder: Embedder = EMBEDDER) -> Query:
    """The query of one question behind another."""
    [query] = queries_of([SearchRequest(Wording(question), previous)], language, embedder)
    return query


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        ([], ""),
        (["", "  ", "?!"], ""),
        (["How do I return it?", "Thank you very much!"], "How do I return it?"),
        (["保修多久？", "好的，谢谢"], "保修多久？"),
        (["How do I return it?", "How long do I have?"], "How long do I have?"),
        (["first", "second", "third", "OK"], "second\nthird"),
        (["Thanks"], ""),
        (["x" * 1000], "x" * 400),
    ],
)
def test_the_last_that_says_more_than_thanks(earlier: Sequence[str], said: str) -> None:
    assert last_real_question(earlier) == said


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How long does it take?", True),
        ("And to Norway?", True),
        ("那邮费呢", True),
        ("多久", True),
        ("How many days do I have to return a kettle?", False),
        ("退款一般多少个工作日到账", False),
    ],
)
def test_words_that_lean_on_what_was_said(question: str, expected: bool) -> None:
    assert may_be_follow_up(question) is expected


def test_the_earlier_question_counts_by_its_share() -> None:
    query = in_both("how many days", "en", "refund to a card in days")
    assert query.terms == {
        "how": 1,
        "many": 1,
        "days": 1,
        **dict.fromkeys(("refund", "to", "a", "card", "in"), EARLIER_SHARE),
    }
    assert query.shares.tolist() == [0.5] * 6 + [EARLIER_SHARE] * 6
    alone, before = EMBEDDER.embed_queries(["how many days", "refund to a card in days"]).vectors
    assert query.vector.shape == (1, 64)
    assert np.linalg.norm(query.vector) == pytest.approx(1)
    assert float(query.vector[0] @ alone) > float(query.vector[0] @ before)


def test_what_the_same_message_tells_counts_more_than_an_earlier_question() -> None:
    story, question = "my kettle leaks", "which one is right"
    [told] = queries_of([SearchRequest(Wording(question), story, is_same_message=True)], "en", EMBEDDER)
    earlier = in_both(question, "en", story)
    assert told.terms["kettle"] > earlier.terms["kettle"]
    assert told.shares[-1] > earlier.shares[-1]
    [before] = EMBEDDER.embed_queries([story]).vectors
    assert float(told.vector[0] @ before) > float(earlier.vector[0] @ before)


class ShortEmbedder(HashEmbedder):
    """Reads the first ten words of a text, as the real one its first 512 tokens."""

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        return super().embed_queries([" ".join(text.split()[:10]) for text in texts])


@pytest.mark.parametrize("question", ["one two three four five six", "?"])
def test_where_the_end_would_be_cut_off_the_question_is_searched_alone(question: str) -> None:
    embedder = ShortEmbedder()
    query = in_both(question, "en", "a b c d e f g" if len(question) > 1 else "...", embedder)
    alone = Query.of(question, "en", embedder.embed_queries([question]))
    assert query.terms == alone.terms
    assert query.shares.tolist() == alone.shares.tolist()
    np.testing.assert_array_equal(query.vector, alone.vector)


def test_several_questions_are_embedded_at_once_and_each_text_once() -> None:
    calls: list[Sequence[str]] = []

    class Counting(HashEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
            calls.append(texts)
            return super().embed_queries(texts)

    asked = [
        SearchRequest(Wording("a b c d")),
        SearchRequest(Wording("a b")),
        SearchRequest(Wording("c d"), "a b"),
        SearchRequest(Wording("a b")),
    ]
    together = queries_of(asked, "en", Counting())
    assert calls == [["a b c d", "a b", "c d", "a b\nc d"]]
    for one, query in zip(asked, together, strict=True):
        [alone] = queries_of([one], "en", EMBEDDER)
        assert query.terms == alone.terms
        np.testing.assert_array_equal(query.vector, alone.vector)
        np.testing.assert_array_equal(query.tokens.vectors, alone.tokens.vectors)


@pytest.mark.slow
@given(st.text(min_size=1), st.text(min_size=1))
def test_any_two_texts_make_a_query(question: str, previous: str) -> None:
    query = in_both(question, "zh", previous)
    assert isinstance(query.tokens, QueryTokens)
    assert len(query.shares) == len(query.tokens.numbers) == len(query.tokens.vectors)
    assert np.linalg.norm(query.vector) == pytest.approx(1, abs=1e-5)


def glossary(folder: Path, content: str = WORDS, name: str = "glossary.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("My ROBO beeps", ("vacuum robot", "扫地机器人")),
        ("扫地機器人不動了", ("robo", "vacuum robot")),
        ("the ｖａｃｕｕｍ  robot", ("robo", "扫地机器人")),
        ("robotics", ()),
        ("包裹还没到，parcel?", ("快递",)),
        ("", ()),
    ],
)
def test_other_words_for_what_a_question_names(tmp_path: Path, question: str, expected: tuple[str, ...]) -> None:
    assert Glossary.read(glossary(tmp_path)).alternatives(question) == expected


def test_no_question_gets_more_than_eight() -> None:
    assert len(Glossary.of([[f"word {letter}" for letter in "abcdefghijklmnop"]]).alternatives("word a")) == 8


@pytest.mark.parametrize(
    ("content", "line", "english", "chinese"),
    [
        ("a b, c\nlonely\n", 2, "two words or more", "至少要有两个词"),
        ("a, " + "b" * 65, 1, "64 characters", "64 个字符"),
        ("a, ***", 1, "letters or digits", "文字或数字"),
        ("a, b\n" * 10_001, 10_001, "10,000 lines", "10,000 行"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, content: str, line: int, english: str, chinese: str
) -> None:
    with pytest.raises(GlossaryUnusable) as raised:
        Glossary.read(glossary(tmp_path, content))
    assert raised.value.exit_code == 2
    assert f"line {line}: " in raised.value.text("en")
    assert english in raised.value.text("en")
    assert f"第 {line} 行" in raised.value.text("zh")
    assert chinese in raised.value.text("zh")


def test_a_file_that_is_no_text_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "glossary.csv").write_bytes(b"\xff\xfea,b")
    with pytest.raises(GlossaryUnusable, match="readable as UTF-8"):
        Glossary.read(tmp_path / "glossary.csv")
    nowhere = tmp_path / "nowhere.csv"
    with pytest.raises(FileUnusable, match=f"{nowhere} cannot be used: there is no such file"):
        Glossary.read(nowhere)
    with pytest.raises(SettingsError, match=f"ANSWERDESK_GLOSSARY: {nowhere} cannot be used: there is no such file"):
        glossary_of(nowhere, tmp_path)


def test_the_setting_goes_before_the_folder_and_neither_is_needed(tmp_path: Path) -> None:
    assert glossary_of(None, tmp_path) == Glossary()
    glossary(tmp_path, "here, there", "glossary.csv")
    assert glossary_of(None, tmp_path).alternatives("here") == ("there",)
    other = glossary(tmp_path / "other", "here, elsewhere")
    assert glossary_of(other, tmp_path).alternatives("here") == ("elsewhere",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [("the robo beeps", "en", "robot"), ("快递丢了", "zh", "包裹"), ("where is my 快递", "en", "parcel")],
)
def test_passages_are_found_by_the_other_words(
    tmp_path: Path, question: str, language: Language, expected: str
) -> None:
    texts: dict[str, tuple[Language, str]] = {
        "robot": ("en", "clean the brushes of the vacuum robot"),
        "parcel": ("en", "a parcel that is late"),
        "kettle": ("en", "the kettle beeps three times"),
        "包裹": ("zh", "包裹遗失的赔偿"),
        "门锁": ("zh", "门锁没电了怎么办"),
    }
    settings = Settings(data_dir=tmp_path)
    publish(settings.knowledge_dir, texts, HashEmbedder())
    glossary(settings.knowledge_dir)
    found = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings).find(
        question, language, Trace()
    )
    assert found.chunks[0].chunk.document_id == expected
    assert found.chunks[0].bm25 is not None


KNOWN = {"refund": 3, "kettle": 1, "return": 5, "returns": 9, "e1024": 2, "warranty": 4, "form": 7, "from": 9}


def frequencies(terms: Sequence[str]) -> list[int]:
    return [KNOWN.get(term, 0) for term in terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Refudn for a ketle?", "refund for a kettle?"),
        ("waranty 多久", "warranty 多久"),
        ("保修warrantyy多久", "保修warranty多久"),
        ("refund", "refund"),
        ("retur", "return"),  # only one keystroke away from it
        ("returm", "return"),
        ("frmo", "frmo"),  # short words have too many neighbours
        ("E1025 or E1042", "E1025 or E1042"),  # another code, not a typing error
        ("kettl3", "kettl3"),
        ("xrefunds", "xrefunds"),
        ("kettle's", "kettle's"),
        ("", ""),
    ],
)
def test_corrected(text: str, expected: str) -> None:
    assert corrected(text, frequencies) == expected


def test_what_is_a_word_by_itself_is_no_typing_error() -> None:
    counts = {"broken": 9, "string": 5}

    def corrected_for(is_word: Callable[[str], bool]) -> str:
        return corrected("Broke this spring", lambda words: [counts.get(word, 0) for word in words], is_word)

    assert corrected_for(lambda word: False) == "broken this string"
    assert corrected_for(lambda word: word == "spring") == "broken this spring"
    assert corrected_for(lambda word: word in ("broke", "spring")) == "Broke this spring"


def test_the_more_frequent_neighbour_is_taken_and_a_swap_goes_before() -> None:
    counts = {"lanes": 1, "lined": 8, "linen": 3}
    assert corrected("linex", lambda terms: [counts.get(term, 0) for term in terms]) == "lined"
    swapped = {"angel": 1, "angler": 50}
    assert corrected("angle", lambda terms: [swapped.get(term, 0) for term in terms]) == "angel"


@pytest.mark.slow
@given(st.text(max_size=60))
def test_nothing_is_changed_where_nothing_is_known_or_all_is(text: str) -> None:
    assert corrected(text, lambda terms: [0] * len(terms)) == corrected(text, lambda terms: [1] * len(terms)) == text
