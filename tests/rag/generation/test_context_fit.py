import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import PromptTooLong
from rag.generation.context_fit import ContextFit
from rag.protocols import Message


def words(text: str) -> int:
    return len(text.split())


def messages(question_words: int) -> list[Message]:
    return [Message("system", "be brief " * 10), Message("user", "passage " * 30 + "why " * question_words)]


def test_what_fits_is_sent() -> None:
    ContextFit(lambda: 1024, words).require(messages(100), "why " * 100, reply_tokens=384)


def test_what_does_not_fit_says_how_long_the_question_may_be() -> None:
    with pytest.raises(PromptTooLong) as caught:
        ContextFit(lambda: 1024, words).require(messages(1000), "why " * 1000, reply_tokens=384)
    assert caught.value.details["tokens"] == 1300
    limit = caught.value.details["limit"]
    assert isinstance(limit, int)
    shorter = int(limit / 1.3)
    ContextFit(lambda: 1024, words).require(messages(shorter), "why " * shorter, reply_tokens=384)


def test_a_prompt_is_counted_once_however_often_it_is_looked_at() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return words(text)

    fit = ContextFit(lambda: 4096, count)
    for _ in range(2):
        fit.require(messages(1), "why", 10)
        fit.excess_tokens(messages(2), 10)
    assert len(counted) == 3


@pytest.mark.parametrize("question_words", [100, 500, 1000])
def test_without_its_excess_a_prompt_fits(question_words: int) -> None:
    fit = ContextFit(lambda: 1024, words)
    excess = fit.excess_tokens(messages(question_words), reply_tokens=384)
    assert (excess > 0) is (question_words > 300)
    assert fit.excess_tokens(messages(question_words - excess), reply_tokens=384) == 0


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_a_longer_question_never_fits_where_a_shorter_one_does_not(first: int, second: int) -> None:
    def fits(question_words: int) -> bool:
        try:
            ContextFit(lambda: 2048, words).require(messages(question_words), "why " * question_words, 384)
        except PromptTooLong:
            return False
        return True

    shorter, longer = sorted((first, second))
    assert fits(shorter) or not fits(longer)
