"""What is searched for a question that may go on from the one before it."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.protocols import Embedder, QueryTokens, QueryVectors
from rag.retrieval.query import EARLIER_SHARE, Query, SearchRequest, queries_of
from rag.retrieval.question import last_said, leans
from rag.retrieval.wording import Wording
from rag.schema import Language
from rag.testing import HashEmbedder

EMBEDDER = HashEmbedder()


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
        (["first", "second"], "second"),
        (["Thanks"], ""),
        (["x" * 1000], "x" * 400),
    ],
)
def test_the_last_that_says_more_than_thanks(earlier: Sequence[str], said: str) -> None:
    assert last_said(earlier) == said


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
    assert leans(question) is expected


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
