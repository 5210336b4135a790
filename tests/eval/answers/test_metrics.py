"""Hand-worked cases in both languages."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.answers.metrics import (
    GoldKind,
    best_rouge_l,
    best_token_f1,
    contains_span,
    gold_kind,
    has_numbers_of,
    holds,
    holds_gold,
    is_right,
    is_right_reply,
    key_points_hit,
    longest_common_subsequence,
    normalise,
    numbers_within,
    pair_overlap,
    rouge_l,
    token_f1,
)
from ingest.golden import GoldenQuestion
from tests.eval import REFERENCE_VALUES

ENTRY = (
    "Log on to the console and stop the instance. Choose More and then Change Private IP, enter an address of the "
    "subnet and confirm. Start the instance within 5 minutes."
)


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        ("You have 30 days from delivery.", "30 days", True),
        ("You have １，０００ yuan", "1000 Yuan", True),
        ("Returns are free for 14 days.", "4 days", False),
        ("费用为 1.25 元", "25元", False),
        ("费用为 25.5 元", "25", False),
        ("签收后 7 天内", "7天", True),
        ("签收后17天内", "7天", False),
        ("Code E07.", "e07", True),
        ("anything", " ", False),
        ("It costs 5.", "5", True),
    ],
)
def test_a_key_point_is_found_in_any_width_case_and_spacing_but_never_inside_a_number(
    text: str, wanted: str, expected: bool
) -> None:
    assert holds(text, wanted) is expected


def test_normalise_keeps_a_list_of_numbers_apart() -> None:
    assert normalise("1, 2, 3") == "1,2,3"
    assert normalise("12,345,678") == "12345678"


def test_every_group_must_be_hit() -> None:
    groups = [["30 days", "thirty days"], ["delivery"]]
    assert key_points_hit("thirty days after the order", groups) == 0.5
    assert not is_right("thirty days after the order", groups)
    assert is_right("thirty days after delivery", groups)
    assert not is_right("anything", [])


def test_token_f1_by_hand() -> None:
    # found: 7 天 内 = 3 tokens; wanted: 签 收 后 7 天 = 5; common 2 -> p 2/3, r 2/5
    assert token_f1("7天内", "签收后7天") == pytest.approx(2 * (2 / 3) * (2 / 5) / (2 / 3 + 2 / 5))
    assert token_f1("the same words", "The same WORDS") == 1.0
    assert token_f1("", "") == 1.0
    assert token_f1("", "x") == 0.0
    assert token_f1("abc", "xyz") == 0.0
    assert best_token_f1("7 days", ["no", "7 days"]) == 1.0
    assert best_token_f1("7 days", []) == 0.0


def test_rouge_l_agrees_with_rouge_score() -> None:
    """Values of Google's rouge-score (it needs NLTK); in Chinese it was given the characters apart."""
    known = json.loads((REFERENCE_VALUES / "rouge_score.json").read_text("utf-8"))
    assert known["library"] == "rouge-score 0.1.2"
    for text, reference, value in known["cases"]:
        assert rouge_l(text, reference) == pytest.approx(value, abs=1e-6)


def test_rouge_l_by_hand_in_both_languages() -> None:
    # "b d" is common: 2 of 3 and 2 of 4
    assert rouge_l("b c d", "a b d e") == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    # 七天 is common: 2 of 3 characters and 2 of 4
    assert rouge_l("七天内", "七个天数") == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert (rouge_l("", ""), rouge_l("", "a"), rouge_l("a", "")) == (1.0, 0.0, 0.0)
    assert best_rouge_l("a b", ["x", "a b"]) == 1.0
    assert best_rouge_l("a b", []) == 0.0


@pytest.mark.slow
@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_longest_common_subsequence_is_that_of_the_textbook(one: list[str], other: list[str]) -> None:
    lengths = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for row, left in enumerate(one, start=1):
        for column, right in enumerate(other, start=1):
            best = max(lengths[row - 1][column], lengths[row][column - 1])
            lengths[row][column] = lengths[row - 1][column - 1] + 1 if left == right else best
    assert longest_common_subsequence(one, other) == lengths[-1][-1]


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("It is party politics.", "art", False),
        ("They rule the United States.", "United States", True),
        ("United States territories", "the United States", True),
        ("It took 25.5 days", "25", False),
        ("In the 1990s", "1990", False),
        ("共有鼓、锣、钹和板。", "鼓、锣、钹和板", True),
        ("共有鼓锣钹和板", "鼓、锣、钹和板", True),
        ("Müller did", "Müller", True),
        ("anything", "", False),
    ],
)
def test_a_span_is_said_in_whole_words(text: str, span: str, expected: bool) -> None:
    assert contains_span(text, span) is expected


def test_numbers_must_come_from_somewhere() -> None:
    assert numbers_within("It takes 1,000 days", "1000 days or more")
    assert not numbers_within("It takes 7 days", "17 days")
    assert numbers_within("no numbers")


def test_pairs_of_words_by_hand() -> None:
    # a-b, b-c, c-d of a-b, b-c, c-x, x-y, y-z
    assert pair_overlap("a b c d", "a b c x y z") == (pytest.approx(2 / 3), pytest.approx(2 / 5))
    assert pair_overlap("b a", "a b") == (0.0, 0.0)
    assert pair_overlap("a", "a") == (1.0, 1.0)


def test_the_numbers_of_one_known_answer_are_enough() -> None:
    assert has_numbers_of("It takes 7 to 10 days.", ["7-10 days", "two weeks"]) is True
    assert has_numbers_of("It takes 7 days.", ["7-10 days"]) is False
    assert has_numbers_of("It takes 1,000 days.", ["five", "1000"]) is True
    assert has_numbers_of("It takes 7 days.", ["a week"]) is None


def asked(*answers: str, key_points: tuple[tuple[str, ...], ...] | None = None) -> GoldenQuestion:
    points = key_points if key_points is not None else ((answers,) if answers else ())
    return GoldenQuestion("q", "How do I change the address?", "en", True, answers, points, ("d1",))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        (asked("7 days", key_points=(("7 days", "a week"),)), "key_points"),
        (asked("7 days", "a week"), "span"),
        (asked(ENTRY), "entry"),
        (asked(ENTRY, "Change it in the console"), "span"),
        (asked(), "none"),
    ],
)
def test_what_is_known_says_how_it_is_judged(question: GoldenQuestion, kind: GoldKind) -> None:
    assert gold_kind(question) == kind


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (ENTRY, True),
        ("Stop the instance, choose Change Private IP, enter an address and start the instance.", True),
        ("Stop the instance, choose Change Private IP, enter an address and start it within 15 minutes.", False),
        ("Restart the router and call your provider, who will give you another one tomorrow.", False),
        ("Stop the instance.", False),
        ("", False),
    ],
)
def test_an_entry_needs_its_substance_and_no_number_of_its_own(reply: str, right: bool) -> None:
    assert is_right_reply(asked(ENTRY), reply) is right


def test_every_key_point_is_needed_and_one_span_is_enough() -> None:
    both = asked("x", key_points=(("7 days",), ("receipt", "invoice")))
    assert is_right_reply(both, "Within 7 days, with the invoice.")
    assert not is_right_reply(both, "Within 7 days.")
    assert is_right_reply(asked("a week", "7 days"), "It takes a week.")
    assert not is_right_reply(asked(), "anything")


def test_what_was_sent_holds_the_answer() -> None:
    assert holds_gold(asked("7 days"), "within 7 days", ())
    assert not holds_gold(asked("7 days"), "within days", ("d1",))
    assert holds_gold(asked(ENTRY), "only its first sentence", ("d2", "d1"))
    assert not holds_gold(replace(asked(ENTRY), relevant=("d3",)), ENTRY, ("d1",))
