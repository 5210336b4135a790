"""Sentences of known support and figures by hand, and a set from question to figures."""

import random
from dataclasses import replace

from eval.citations.benchmark import CheckedSentence, check, figures, foreign_sentence, known_sentences
from rag.schema import Citation, Evidence, Language
from tests.eval.cases import question

TEXT = (
    "Towers fascinate. The tower was built in 1889, for the fair, by Eiffel. It stands in Paris now. Lifts run daily."
)


def passage(text: str = TEXT, document_id: str = "tower", start: int = 100, language: Language = "en") -> Evidence:
    end = start + len(text)
    return Evidence(1, document_id, f"{document_id}.md", "Tower", (), text, start, end, start, end, language)


ASKED = replace(
    question("q1"), question="When was the tower built?", answers=("1889",), relevant=("tower",), key_points=()
)


def by_kind(asked: object = ASKED, evidence: Evidence | None = None) -> dict[str, str]:
    assert isinstance(asked, type(ASKED))
    return {one.kind: one.text for one in known_sentences(asked, [evidence or passage()])}


def test_the_sentence_with_the_answer_is_taken_whole_short_and_joined() -> None:
    assert by_kind() == {
        "verbatim": "The tower was built in 1889, for the fair, by Eiffel.",
        "shortened": "The tower was built in 1889",
        "joined": "The tower was built in 1889, for the fair, by Eiffel, and it stands in Paris now.",
    }


def test_questions_become_statements_where_grammar_allows() -> None:
    assert (
        by_kind(replace(ASKED, question="What is the year of the tower?"))["stated"] == "The year of the tower is 1889."
    )
    assert "stated" not in by_kind(replace(ASKED, question="When was it built?"))
    chinese = passage("铁塔建成的年份是1889年，位于巴黎。", language="zh")
    asked = replace(ASKED, question="铁塔建成的年份是多少？", language="zh")
    assert by_kind(asked, chinese)["stated"] == "铁塔建成的年份是1889。"


def test_a_written_answer_counts_for_the_whole_document() -> None:
    asked = replace(ASKED, answers=("It dates from the year of the fair.",))
    (one,) = known_sentences(asked, [passage()])
    assert (one.kind, one.text) == ("reference", "It dates from the year of the fair.")
    assert one.is_right(Citation(0, 9, "tower", "tower.md", "Lifts run daily.", 190, 206))
    assert not one.is_right(Citation(0, 9, "bridge", "bridge.md", "Lifts run daily.", 190, 206))


def test_a_citation_is_right_in_the_sentence_or_with_the_answer() -> None:
    verbatim = known_sentences(ASKED, [passage()])[0]
    assert verbatim.is_right(Citation(0, 9, "tower", "t", "was built in 1889", 129, 146))
    assert verbatim.is_right(Citation(0, 9, "other", "o", "opened in 1889", 0, 14))
    assert not verbatim.is_right(Citation(0, 9, "tower", "t", "Lifts run daily.", 190, 206))


def test_without_the_relevant_document_nothing_is_known() -> None:
    assert known_sentences(ASKED, [passage(document_id="bridge")]) == []


def test_a_foreign_sentence_has_no_support_here() -> None:
    others = known_sentences(replace(ASKED, question_id="q2", relevant=("bridge",)), [passage(document_id="bridge")])
    found = foreign_sentence(ASKED, [passage()], others, random.Random(0))
    assert found is not None and found.places == () and found.kind == "elsewhere"
    assert foreign_sentence(ASKED, [passage(), passage(document_id="bridge")], others, random.Random(0)) is None


def one(kind: str, *, fault: str = "", cited: int = 0, right: int = 0, marked: bool = False) -> CheckedSentence:
    return CheckedSentence("q", kind, fault, "", cited, right, marked)


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
    assert found["citation_recall"] == 0.666667
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
