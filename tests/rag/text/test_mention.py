"""A name is found however it is written, and not within another word."""

import time

import pytest

from rag.errors import SettingsError
from rag.text.mention import Mention


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("Anna Wu", "Dear ANNA WU, hello"),
        ("Anna Wu", "annawu's order"),
        ("Anna Wu", "Anna\n   Wu"),
        ("anna  wu ", "Ａｎｎａ　Ｗｕ"),
        ("Anna Wu", "An\u200bna\u00ad W\u202eu"),
        ("Anna Wu", "请问Anna Wu的退款"),
        ("Anna-Lena Wu", "Anna Lena Wu"),
        ("José Müller", "JOSE\u0301 MU\u0308LLER"),
        ("Straße", "STRASSE"),
        ("王小明", "客户王 小明来电"),
        ("anna@example.org", "mail Anna@Example.ORG."),
        ("4711-0815", "order ４７１１ 0815?"),
        ("47110815", "order 4711-0815"),
        ("+49 (30) 123", "call +49 (30)-123 now"),
        ("Лена", "для ЛЕНЫ и Лена"),
    ],
)
def test_it_is_found(text: str, where: str) -> None:
    assert Mention(text).is_in(where)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("Li", "delivery, tell it, Liam, Eli"),
        ("Anna Wu", "Joanna Wu"),
        ("Anna Wu", "Anna Wulf"),
        ("4711", "47110 and 14711"),
        ("anna@example.org", "joanna@example.org"),
        ("anna@example.org", "anna@example orgs"),
        ("a.c", "abc"),
    ],
)
def test_it_is_not_found_in_other_words(text: str, where: str) -> None:
    assert not Mention(text).is_in(where)


@pytest.mark.parametrize("text", ["", " ", "a", "-", "?!", "\u200b\u200b", "x" * 201])
def test_too_little_or_too_much_is_refused_in_words(text: str) -> None:
    with pytest.raises(SettingsError, match="2 to 200 letters"):
        Mention(text)
    with pytest.raises(SettingsError, match="2 至 200"):
        Mention(text, "zh")


@pytest.mark.slow
@pytest.mark.parametrize("atom", ["a", "a ", "ab", " ", "a-", "- ", "aa b", "\u00ad"])
def test_looking_takes_time_that_grows_with_the_text(atom: str) -> None:
    mention = Mention("aa aa aa b")

    def seconds(characters: int) -> float:
        text = atom * (characters // len(atom))
        begun = time.process_time()
        mention.is_in(text)
        return time.process_time() - begun

    small = min(seconds(20_000) for _ in range(5))
    assert min(seconds(200_000) for _ in range(3)) < 40 * small + 0.05
