"""Which replies are right, by what is known of the answer."""

from dataclasses import replace

import pytest

from eval.answers.gold import GoldKind, gold_kind, holds_gold, is_right_reply
from ingest.golden import GoldenQuestion

ENTRY = (
    "Log on to the console and stop the instance. Choose More and then Change Private IP, enter an address of the "
    "subnet and confirm. Start the instance within 5 minutes."
)


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
