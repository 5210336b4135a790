"""Which knobs are turned, and what is kept: by ratios and verdicts worked out by hand."""

from dataclasses import replace

import pytest

from eval.calibrate_model.knobs import KNOBS, compared, judged, known_knobs, turned
from eval.calibrate_model.results import Target, Tuning, rows_of
from rag.errors import SettingsError
from rag.settings import Settings
from tests.eval.calibrate_model.records import SERVED, configuration, question, record

QUESTIONS = [question(number) for number in range(20)]
RIGHT = [record(number) for number in range(20)]
OTHER = configuration()
OWN = replace(OTHER, tuning=Tuning(kv_cache_type="q8_0"))


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
    assert turned("flash", best, 2) == [Tuning(flash_attention=False, batch_tokens=256)]
    assert turned("batch", Tuning(), 2) == [Tuning(batch_tokens=256), Tuning(batch_tokens=1024)]
    assert turned("threads", Tuning(), 1) == [Tuning(model_threads=2)]


def test_a_quantized_context_is_not_tried_without_flash_attention() -> None:
    assert turned("kv", Tuning(flash_attention=False), 2) == []
    assert turned("flash", Tuning(kv_cache_type="q8_0"), 2) == []


def test_files_are_named_by_what_is_tuned() -> None:
    assert OTHER.key == "q8_0-1x4096"
    assert OWN.key == "q8_0-1x4096-kv_cache_type-q8_0"


def test_ratios_are_medians_over_the_rounds() -> None:
    """400 tokens read and 60 written: 4 + 6 s beside 2 + 6, 4 + 6 beside 2.5 + 6 and 4 + 6 beside 4 + 6."""
    rounds = [((100.0, 10.0), pace) for pace in ((200.0, 10.0), (160.0, 10.0), (100.0, 10.0))]
    trial = compared("kv", OWN, rounds, 60.0)
    assert (trial.prompt_ratio, trial.generation_ratio, trial.gain) == (1.6, 1.0, 0.15)
    assert (trial.row, trial.kept) == (None, False)


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
    (row,) = rows_of({OWN: (SERVED, own)}, QUESTIONS, Target())
    trial = judged(compared("kv", OWN, [((1.0, 1.0), (2.0, 2.0))], 60.0), row, QUESTIONS, own, other)
    assert trial.row is not None
    assert (trial.row.accuracy, trial.agreement, trial.kept) == (accuracy, agreement, kept)


def test_without_a_common_question_nothing_is_kept() -> None:
    (row,) = rows_of({OWN: (SERVED, RIGHT)}, QUESTIONS, Target())
    trial = judged(compared("kv", OWN, [((1.0, 1.0), (2.0, 2.0))], 60.0), row, QUESTIONS, RIGHT, [])
    assert (trial.agreement, trial.kept) == (None, False)
