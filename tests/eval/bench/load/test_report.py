"""Figures against numbers worked out by hand."""

from dataclasses import replace

import pytest

from eval.bench.load.records import Block, LoadRecord, Outcome, WaitEstimate
from eval.bench.load.report import bars, figures
from rag.schema import SpanTime


def record(arm: str, total_ms: float, outcome: Outcome = "answered", **more: object) -> LoadRecord:
    values: dict[str, object] = {"round": 0, "session": 0, "question_id": "q", "late_ms": 0.0, "evidence_ms": 10.0}
    values |= {"first_word_ms": total_ms / 2, **more}
    return LoadRecord(arm=arm, total_ms=total_ms, outcome=outcome, **values)  # type: ignore[arg-type]


RECORDS = [
    record("desk", 1000, right=True, spans=(SpanTime("embed", 5.0),), told=(WaitEstimate(8, 10), WaitEstimate(3, 2))),
    record("desk", 3000, right=False, round=1, spans=(SpanTime("embed", 7.0),), told=(WaitEstimate(1, 1),)),
    record("desk", 100, "refused", asked_model=False),
    record("desk", 500, "failed", error="ModelTimedOut", evidence_ms=30.0, round=1),
    record("raw", 900, prompt_tokens=100, generated_tokens=20),
    record("raw", 1100, prompt_tokens=200, generated_tokens=40, round=1),
    record("raw", 1100, round=1),
]
BLOCKS = [
    Block("desk", 0, 30.0, 100_000_000, 120_000_000, processor_seconds=0.1),
    Block("raw", 0, 20.0),
    Block("raw", 1, 40.0),
    Block("desk", 1, 30.0, 100_000_000, 150_000_000, processor_seconds=0.3),
]


def test_what_each_arm_did() -> None:
    found = figures(RECORDS, BLOCKS, sessions=10)
    desk, raw = found["arms"]["desk"], found["arms"]["raw"]  # type: ignore[index]
    assert desk["n"] == 4
    assert desk["answers_a_minute"] == 2.0, "two answers by the model in 60 s; a refusal without it is no work"
    assert desk["outcomes"] == {"answered": 2, "refused": 1, "failed": 1, "unfinished": 0, "lost": 0}
    assert desk["errors"] == {"ModelTimedOut": 1}
    assert desk["accuracy"] == 0.5
    assert desk["times"]["total_ms"]["p50"] == 1000, "of 100, 1000 and 3000: what failed took no time of an answer"
    assert desk["times"]["evidence_ms"]["n"] == 4
    assert desk["stages"]["embed"] == {"n": 2, "p50": 6.0, "p95": 6.9, "p99": 7.0, "largest": 7.0}
    assert desk["memory_mb_a_session"] == 5.0
    assert desk["processor_ms_a_question"] == 100.0
    assert raw["answers_a_minute"] == 3.0
    assert (raw["prompt_tokens"], raw["generated_tokens"]) == (150.0, 30.0)
    assert raw["memory_mb_a_session"] is None


def test_the_wait_that_was_told_is_held_against_the_real_one() -> None:
    told = figures(RECORDS, BLOCKS, sessions=10)["arms"]["desk"]["wait_told"]  # type: ignore[index]
    assert told == {"n": 3, "median_error": 0.2, "p90_error": 0.44}, "errors 0.2, 0.5 and 0"


def test_the_product_is_held_against_the_others_of_the_same_run() -> None:
    against = figures(RECORDS, BLOCKS, sessions=10)["product_against"]
    assert against == {"raw": {"ratio": 0.667, "rounds": [0.667, 0.667]}}


def test_a_page_is_held_against_the_bars_of_a_page() -> None:
    paged = [replace(one, arm="page") if one.arm == "desk" else one for one in RECORDS]
    found = figures(paged, [replace(one, arm="page") if one.arm == "desk" else one for one in BLOCKS], sessions=10)
    assert found["product_against"] == {"raw": {"ratio": 0.667, "rounds": [0.667, 0.667]}}
    names = [one.name for one in bars(found, gpu_timed=True)]
    assert names == ["bar_page_evidence", "bar_memory", "bar_lost"]


def test_several_desks_are_held_against_one_of_them() -> None:
    names = {"desk": "desks", "raw": "one_desk"}
    several = [replace(one, arm=names[one.arm]) for one in RECORDS]
    found = figures(several, [replace(one, arm=names[one.arm]) for one in BLOCKS], sessions=10)
    assert found["product_against"] == {"one_desk": {"ratio": 0.667, "rounds": [0.667, 0.667]}}
    shown = {one.name: (one.shown, one.met) for one in bars(found, gpu_timed=True)}
    assert shown["bar_desks"] == ("0.667x", False)
    assert shown["bar_desks_evidence"] == ("29.4 ms", True), "the 99th percentile of 10, 10, 10 and 30"
    assert shown["bar_lost"] == ("1 / 0", False)


def test_nothing_measured_is_no_number_and_no_bar() -> None:
    assert figures([], [], sessions=10) == {"arms": {}, "product_against": {}}
    empty = figures([], [Block("desk", 0, 0.0)], sessions=10)
    assert empty["arms"]["desk"]["answers_a_minute"] is None  # type: ignore[index]
    assert [one.name for one in bars(empty, gpu_timed=False)] == ["bar_lost"]


def test_bars_say_what_was_met() -> None:
    found = figures(RECORDS, BLOCKS, sessions=10)
    assert {one.name: one.met for one in bars(found, gpu_timed=False)} == {
        "bar_raw": False,
        "bar_wait": True,
        "bar_evidence": True,
        "bar_memory": True,
        "bar_lost": False,
    }
    gpu = {one.name: (one.shown, one.met) for one in bars(found, gpu_timed=True)}
    assert gpu["bar_around_model"] == ("2980 ms", False), "what a reader waits, where no stage was the model's"
    assert "bar_raw" not in gpu, "raw clients of a stand-in tell nothing about a model's pace"


def test_a_stand_in_for_a_gpu_tells_what_the_product_takes_around_the_model() -> None:
    spans = (
        SpanTime("embed", 900.0),
        SpanTime("prompt", 300.0),
        SpanTime("thinking", 100.0),
        SpanTime("answer", 500.0),
    )
    found = figures([record("desk", 2500.0, spans=spans), record("desk", 900.0, "failed")], BLOCKS, sessions=10)
    (around,) = (one for one in bars(found, gpu_timed=True) if one.name == "bar_around_model")
    assert (around.shown, around.met) == ("1600 ms", False)


def test_a_lost_turn_counts() -> None:
    found = figures([*RECORDS[:3], record("desk", 5, "lost")], BLOCKS, sessions=10)
    assert [one.shown for one in bars(found, gpu_timed=True) if one.name == "bar_lost"] == ["0 / 1"]
    assert found["arms"]["desk"]["outcomes"]["lost"] == 1  # type: ignore[index]


@pytest.mark.parametrize("seconds", [0.0, 1e-9])
def test_no_time_is_no_rate(seconds: float) -> None:
    found = figures(RECORDS, [Block("desk", 5, seconds)], sessions=1)
    rate = found["arms"]["desk"]["answers_a_minute"]  # type: ignore[index]
    assert rate is None or rate == 0
