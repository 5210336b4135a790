"""Sentences with counts read as a person would write them."""

import pytest

from rag.translate import translate


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (1, "1 row of 2 tables was copied"),
        (0, "0 rows of 2 tables were copied"),
        (12, "12 rows of 2 tables were copied"),
    ],
)
def test_a_count_of_one_reads_in_the_singular_and_any_other_in_the_plural(rows: int, said: str) -> None:
    assert translate("migrate.to_server", "en", rows=rows, tables=2, folder="data").startswith(said)


@pytest.mark.parametrize(("days", "said"), [("1", "1 day"), ("1,001", "1,001 days")])
def test_a_count_that_is_already_written_chooses_the_words_too(days: str, said: str) -> None:
    assert translate("ui.q_last_days", "en", count=days) == said


def test_a_fraction_that_is_shown_as_one_reads_in_the_singular() -> None:
    counts = {"after": 1, "before": 3, "questions": 4, "within": 10}
    said = translate("ingest.gate_shut", "en", margin=100 * 0.01, **counts)
    assert "1 of 4 regression questions finds its document" in said
    assert "the margin is 1 point." in said


def test_chinese_has_one_form_for_every_count() -> None:
    one, many = (translate("ui.q_last_days", "zh", count=count) for count in (1, 2))
    assert one.replace("1", "2") == many
