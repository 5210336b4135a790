"""pass@k, its interval and the kinds of failure, against values worked out by hand."""

import pytest

from eval.code.judging import Outcome
from eval.code.records import Attempt, AttemptVerdict, pass_at_k, summarise


@pytest.mark.parametrize(
    ("samples", "passed", "k", "expected"),
    [
        (1, 1, 1, 1.0),
        (1, 0, 1, 0.0),
        (5, 2, 1, 2 / 5),
        (5, 2, 2, 1 - 3 / 10),  # C(3, 2) = 3 of C(5, 2) = 10 pairs hold no passed one
        (5, 2, 4, 1.0),  # only three did not pass
        (10, 1, 5, 1 / 2),
        (200, 3, 100, 1 - (100 * 99 * 98) / (200 * 199 * 198)),
    ],
)
def test_pass_at_k_is_the_share_of_draws_that_hold_a_passed_one(
    samples: int, passed: int, k: int, expected: float
) -> None:
    assert pass_at_k(samples, passed, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("k", [0, 6])
def test_more_than_the_samples_cannot_be_drawn(k: int) -> None:
    with pytest.raises(ValueError, match=r"\[1, 5\]"):
        pass_at_k(5, 2, k)


def _judged(task: str, *outcomes: Outcome) -> list[AttemptVerdict]:
    return [AttemptVerdict(task, sample, outcome) for sample, outcome in enumerate(outcomes)]


def test_one_sample_a_problem_has_wilsons_interval() -> None:
    judged = [*(one for task in range(8) for one in _judged(str(task), "passed")), *_judged("8", "wrong")]
    judged += _judged("9", "truncated")
    attempts = [Attempt(one.task_id, 0, seconds=float(one.task_id), prompt_tokens=100) for one in judged]
    figures = summarise(attempts, judged)
    assert (figures["n"], figures["samples"], figures["passed"], figures["pass_at_1"]) == (10, 1, 8, 0.8)
    assert figures["intervals"] == {"pass_at_1": (0.490162, 0.943318)}  # Wilson's of 8 of 10
    assert figures["pass_at_k"] == {"1": 0.8}
    assert figures["outcomes"] == {
        "passed": 8, "no_reply": 0, "truncated": 1, "no_code": 0, "syntax": 0, "wrong": 1, "error": 0, "time": 0,
        "resources": 0,
    }  # fmt: skip
    assert figures["seconds"] == {"median": 4.5, "mean": 4.5, "longest": 9.0}
    assert figures["tokens"] == {"prompt": 100.0, "generated": 0.0}


def test_several_samples_are_not_counted_as_problems() -> None:
    judged = [*_judged("a", "passed", "wrong"), *_judged("b", "wrong", "error")]
    figures = summarise([], judged)
    assert (figures["n"], figures["samples"], figures["passed"]) == (2, 2, 1)
    assert figures["pass_at_k"] == {"1": 0.25, "2": 0.5}  # a: 1/2 and 1; b: 0 and 0
    assert figures["intervals"] == {"pass_at_1": (0.0, 0.5)}  # of two problems drawn anew


def test_nothing_measured_has_no_figures() -> None:
    figures = summarise([], [])
    assert (figures["n"], figures["pass_at_1"], figures["intervals"]) == (0, None, {"pass_at_1": None})
