"""Figures and verdict, against numbers worked out by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from eval.core.runs import Run
from eval.desk.asking import GuardTrace, Record
from eval.desk.cases import DeskCase
from eval.desk.figures import Outcome, outcomes_of
from eval.train.findings import (
    HEADS,
    Arm,
    Findings,
    Share,
    arm_of,
    as_json,
    cells,
    findings_of,
    reasons_against,
    remarks,
    rise_in_right,
)
from rag.schema import Answer, TextSpan
from rag.translate import is_known

ARM = Arm("base", "m", Share(10, 20), Share(4, 20), Share(8, 10), Share(3, 30), Share(19, 20), 40.0)


def outcomes(*rows: tuple[str, bool, str, bool]) -> tuple[Outcome, ...]:
    """Make outcomes of (language, answerable, text, refused); right is what says "30 days"."""
    cases, records = [], []
    for number, (language, answerable, text, refused) in enumerate(rows):
        given = {"must_contain_any": (("30 days",),)} if answerable else {}
        one = DeskCase(str(number), language, "mail", ("?",), answerable, **given)  # type: ignore[arg-type]
        answer = Answer(text, language, refused, "", (), (TextSpan(0, 4),), (), "m", False, 1)  # type: ignore[arg-type]
        cases.append(one)
        records.append(Record(str(number), "own", answer=answer, guards=GuardTrace(draft=text)))
    return outcomes_of(cases, records)


FOUND = outcomes(
    ("en", True, "It is 30 days.", False),
    ("en", True, "It is 7 days. Ask us.", False),
    ("en", True, "Not found.", True),
    ("zh", True, "It is 30 days.", False),
    ("en", False, "It is 9 days.", False),
    ("en", False, "Not found.", True),
)


def test_each_figure_counts_what_it_says() -> None:
    arm = arm_of("merged", "m", FOUND, lambda text: len(text.split()))
    assert arm.right == Share(2, 4)
    assert arm.refused_answerable == Share(1, 4)
    assert arm.refused_unanswerable == Share(1, 2)
    assert arm.unsupported == Share(4, 5)
    assert arm.language == Share(3, 4)
    assert arm.tokens == round((4 + 6 + 2 + 4 + 4 + 2) / 6, 1)


def test_the_rise_is_of_the_same_questions() -> None:
    better = outcomes(*[("en", True, "It is 30 days.", False)] * 4)
    rise, interval = rise_in_right(FOUND, better, seed=0)
    assert rise == 0.5  # two of four were right before
    assert interval is not None and interval[0] <= 0.5 <= interval[1]
    assert rise_in_right((), (), seed=0) == (0.0, None)


def test_a_sure_rise_is_kept_and_a_rise_that_may_be_chance_is_not() -> None:
    assert reasons_against(ARM, ARM, (0.01, 0.2)) == ()
    assert reasons_against(ARM, ARM, (0.0, 0.2)) == ("right",)
    assert reasons_against(ARM, ARM, None) == ("right",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"refused_answerable": Share(6, 20)}, "refused_answerable"),
        ({"refused_unanswerable": Share(6, 10)}, "refused_unanswerable"),
        ({"language": Share(17, 20)}, "language"),
    ],
)
def test_what_gets_worse_by_more_than_a_case_is_a_reason(changes: dict[str, Share], reason: str) -> None:
    assert reasons_against(ARM, replace(ARM, **changes), (0.1, 0.2)) == (reason,)  # type: ignore[arg-type]
    (name, worse), *_ = changes.items()
    step = -1 if name == "refused_answerable" else 1
    one_case = {name: Share(worse.hits + step, worse.n)}
    assert reasons_against(ARM, replace(ARM, **one_case), (0.1, 0.2)) == ()  # type: ignore[arg-type]


def findings(*reasons: str) -> Findings:
    return Findings(
        model="stand-in:a", tuned="stand-in:b", stand_in=True, run="monday", examples=30, questions=20,
        loss_before=2.0, loss_after=1.0, arms=(ARM, replace(ARM, name="merged", right=Share(0, 0), tokens=None)),
        difference=0.1, interval=(0.02, 0.18), reasons=reasons, others={"code": {"base": "50 %", "merged": "40 %"}},
    )  # fmt: skip


def test_findings_are_saved_and_read_as_they_were(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.save_figures(as_json(findings("right")))
    assert findings_of(run) == findings("right")
    assert run.figures()["kept"] is False


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_and_the_remarks_have_words(language: str) -> None:
    assert all(is_known(f"eval_train.{head}") for head in HEADS)
    assert len(cells(ARM, language)) == len(HEADS)  # type: ignore[arg-type]
    assert cells(findings().arms[1], language)[1] == "-"  # type: ignore[arg-type]
    kept, removed = remarks(findings(), language), remarks(findings("right", "language"), language)  # type: ignore[arg-type]
    assert "stand-in:b" in kept[1] and kept[1] != removed[1]
    assert "+10.0" in kept[0] and "+2.0" in kept[0] and "50 %" in kept[2]
