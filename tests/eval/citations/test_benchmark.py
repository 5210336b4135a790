"""Figures by hand, and a set from question to figures."""

from dataclasses import replace

from eval.citations.benchmark import Checked, check, figures
from tests.eval.citations.test_known_sentences import ASKED, passage


def one(kind: str, *, fault: str = "", cited: int = 0, right: int = 0, marked: bool = False) -> Checked:
    return Checked("q", kind, fault, "", cited, right, marked)


def test_figures_by_hand() -> None:
    found = figures(
        [
            one("verbatim", cited=1, right=1),
            one("verbatim", cited=2, right=1),
            one("reference", marked=True),
            one("elsewhere", cited=1),
            one("elsewhere", marked=True),
            one("verbatim", fault="number", marked=True),
            one("verbatim", fault="number"),
        ]
    )
    assert found["n"] == 5
    assert found["citation_precision"] == 0.5  # of four citations two are right
    assert found["citation_recall"] == 0.6667
    assert (found["faults"], found["faults_marked"]) == (2, 0.5)
    by_kind, by_fault = found["by_kind"], found["by_fault"]
    assert isinstance(by_kind, dict) and isinstance(by_fault, dict)
    assert by_kind["elsewhere"] == {"n": 2, "marked": 0.5}
    assert by_kind["stated"] == {"n": 0, "recall": None}
    assert by_fault["number"] == {"n": 2, "marked": 0.5}


def test_a_question_gives_sentences_and_their_faults() -> None:
    checked = check([ASKED, replace(ASKED, question_id="q2", relevant=("bridge",))], lambda asked: [passage()])
    assert {found.question_id for found in checked} == {"q1"}, "the other's document is not in the evidence"
    right = [found for found in checked if not found.fault]
    assert all(found.right and not found.marked for found in right)
    assert {found.fault for found in checked} == {"", "date", "denial added"}
    assert all(found.marked for found in checked if found.fault)
