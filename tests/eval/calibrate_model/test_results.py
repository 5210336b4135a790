"""Rows and the winner, which knobs are turned and what is kept: from records made by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.calibrate_model.results import (
    KNOBS,
    Target,
    Tuning,
    agents_supported,
    compare_paces,
    configurations,
    judge_trial,
    knob_variants,
    known_knobs,
    rows_of,
    share_within,
    winner,
)
from rag.errors import SettingsError
from rag.settings import Settings
from tests.eval.calibrate_model.records import SERVING, configuration, question, record

QUESTIONS = [question(number) for number in range(4)]
TARGET = Target()

PACE = Target(seconds=10.0, pause_seconds=60.0)

TWENTY = [question(number) for number in range(20)]
RIGHT = [record(number) for number in range(20)]
OTHER = configuration()
OWN = replace(OTHER, tuning=Tuning(kv_cache_type="q8_0"))


def test_a_row_counts_what_was_measured() -> None:
    records = [record(0), record(1, right=False, seconds=4.0), record(2, error="ModelTimedOut")]
    (row,) = rows_of({configuration(): (SERVING, records)}, QUESTIONS, TARGET)
    assert (row.n, row.compared, row.errors) == (3, 3, 1)
    assert row.accuracy == 0.333333
    assert (row.p50_ms, row.p99_ms) == (3000.0, 3980.0)
    assert row.load_rate == 4.5  # 90 tokens in 20 s
    assert row.agents > 1


@pytest.mark.slow
def test_accuracy_is_over_the_questions_that_all_were_asked() -> None:
    whole = [record(0), record(1, right=False), record(2, right=False)]
    short = [record(0)]
    rows = rows_of({configuration(): (SERVING, whole), configuration("q4_K_M"): (SERVING, short)}, QUESTIONS, TARGET)
    assert [(row.accuracy, row.compared, row.n) for row in rows] == [(1.0, 1, 3), (1.0, 1, 1)]


def test_the_winner_serves_most_agents_without_being_less_accurate() -> None:
    rows = rows_of({configuration(): (SERVING, [record(0)])}, QUESTIONS, TARGET)
    best = replace(rows[0], accuracy=0.90, agents=3)
    close = replace(best, accuracy=0.89, agents=5, p99_ms=9000.0)
    quicker = replace(close, p99_ms=8000.0)
    smaller = replace(quicker, memory_bytes=1)
    wrong = replace(best, accuracy=0.70, agents=50)
    assert winner([best, close, wrong]) == close
    assert winner([close, quicker, best]) == quicker
    assert winner([quicker, smaller]) == smaller
    assert winner([best, close], margin=0.0) == best


def test_without_an_answer_there_is_no_winner() -> None:
    rows = rows_of({configuration(): (SERVING, [])}, QUESTIONS, TARGET)
    assert rows[0].accuracy is None
    assert winner(rows) is None
    assert winner([]) is None


def test_all_combinations_are_tried() -> None:
    tried = configurations({"q8_0": "a", "q4_K_M": "b"}, (1, 2), (2048, 4096))
    assert len({one.key for one in tried}) == 8
    assert tried[0].key == "q8_0-1x2048"


def test_one_agent_alone_never_waits() -> None:
    assert share_within(1, [4.0], 1, PACE) == 1.0
    assert share_within(1, [11.0], 1, PACE) == 0.0
    assert agents_supported([11.0], 1, PACE) == 0
    assert agents_supported([], 1, PACE) == 0


def test_as_many_agents_as_slots_never_wait() -> None:
    assert share_within(4, [9.9], 4, PACE) == 1.0
    assert agents_supported([9.9], 4, PACE) >= 4


def test_a_mixture_is_served_by_its_share() -> None:
    """Nine of ten answers are quick: a share of 0.95 is not met, one of 0.85 is."""
    services = [1.0] * 9 + [20.0]
    assert share_within(1, services, 1, PACE) == pytest.approx(0.9, abs=0.03)
    assert agents_supported(services, 1, PACE) == 0
    assert agents_supported(services, 1, Target(10.0, 0.85, 60.0)) >= 1


def test_no_more_agents_than_the_slots_have_work_for() -> None:
    """The response-time law: answers a second = agents / (pause + response), and a slot makes 1 / service of them."""
    found = agents_supported([2.0], 1, PACE)
    assert 5 <= found <= (60 + 10) / 2


@pytest.mark.slow
@settings(max_examples=10)  # each plays thousands of answers
@given(seconds=st.floats(0.5, 9.5), slots=st.integers(1, 4))
def test_more_slots_and_shorter_answers_never_serve_fewer(seconds: float, slots: int) -> None:
    here = agents_supported([seconds], slots, PACE)
    assert agents_supported([seconds], slots + 1, PACE) >= here
    assert agents_supported([seconds / 2], slots, PACE) >= here
    assert here == agents_supported([seconds], slots, PACE)  # the same seed, the same answer


def test_a_knob_that_there_is_not_is_named() -> None:
    assert known_knobs("threads,flash") == ("flash", "threads")
    assert known_knobs("none") == ()
    with pytest.raises(SettingsError, match="--knobs fan: flash, kv, batch, threads, none"):
        known_knobs("flash,fan")


def test_each_knob_is_a_setting() -> None:
    assert {name for name in KNOBS.values()} == set(Tuning.__slots__)
    assert set(Tuning.__slots__) <= Settings.model_fields.keys()
    usual = Settings()
    assert all(getattr(usual, name) == getattr(Tuning(), name) for name in Tuning.__slots__)


def test_a_knob_is_turned_from_what_is_best_so_far() -> None:
    best = Tuning(batch_tokens=256)
    assert knob_variants("flash", best, 2) == [Tuning(flash_attention=False, batch_tokens=256)]
    assert knob_variants("batch", Tuning(), 2) == [Tuning(batch_tokens=256), Tuning(batch_tokens=1024)]
    assert knob_variants("threads", Tuning(), 1) == [Tuning(model_threads=2)]


def test_a_quantized_context_is_not_tried_without_flash_attention() -> None:
    assert knob_variants("kv", Tuning(flash_attention=False), 2) == []
    assert knob_variants("flash", Tuning(kv_cache_type="q8_0"), 2) == []


def test_files_are_named_by_what_is_tuned() -> None:
    assert OTHER.key == "q8_0-1x4096"
    assert OWN.key == "q8_0-1x4096-kv_cache_type-q8_0"


def test_ratios_are_medians_over_the_rounds() -> None:
    """400 tokens read and 60 written: 4 + 6 s beside 2 + 6, 4 + 6 beside 2.5 + 6 and 4 + 6 beside 4 + 6."""
    rounds = [((100.0, 10.0), pace) for pace in ((200.0, 10.0), (160.0, 10.0), (100.0, 10.0))]
    trial = compare_paces("kv", OWN, rounds, 60.0)
    assert (trial.prompt_ratio, trial.generation_ratio, trial.gain) == (1.6, 1.0, 0.15)
    assert (trial.row, trial.kept) == (None, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "reference", "accuracy", "agreement", "kept"),
    [
        ((), (), 1.0, 1.0, True),
        ((0,), (0,), 0.95, 1.0, True),
        ((), (0,), 1.0, 0.95, True),
        ((0,), (), 0.95, 0.95, False),  # fewer right
        ((0,), (1,), 0.95, 0.9, False),  # as many right, others of them
    ],
)
def test_it_is_kept_at_equal_answers(
    wrong: tuple[int, ...], reference: tuple[int, ...], accuracy: float, agreement: float, kept: bool
) -> None:
    own = [record(number, right=number not in wrong) for number in range(20)]
    other = [record(number, right=number not in reference) for number in range(20)]
    (row,) = rows_of({OWN: (SERVING, own)}, TWENTY, Target())
    trial = judge_trial(compare_paces("kv", OWN, [((1.0, 1.0), (2.0, 2.0))], 60.0), row, TWENTY, own, other)
    assert trial.row is not None
    assert (trial.row.accuracy, trial.agreement, trial.kept) == (accuracy, agreement, kept)


def test_without_a_common_question_nothing_is_kept() -> None:
    (row,) = rows_of({OWN: (SERVING, RIGHT)}, TWENTY, Target())
    trial = judge_trial(compare_paces("kv", OWN, [((1.0, 1.0), (2.0, 2.0))], 60.0), row, TWENTY, RIGHT, [])
    assert (trial.agreement, trial.kept) == (None, False)
