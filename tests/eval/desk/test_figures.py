"""Cases are counted stage by stage, against numbers worked out by hand."""

from dataclasses import replace
from typing import get_args

from eval.desk.asking import GuardTrace, Passages, Record, Seconds
from eval.desk.cases import DeskCase
from eval.desk.figures import GUARDS, LOSSES, outcomes_of, summarise
from rag.schema import Answer, Citation, Guard, TextSpan
from rag.translate import is_known

FACTS = "30 days"


def _case(case_id: str, kind: str = "mail", **fields: object) -> DeskCase:
    given: dict[str, object] = {
        "language": "en",
        "turns": ("?",),
        "answerable": True,
        "must_contain_any": ((FACTS,),),
        "gold_docs": ("a.md",),
    }
    return DeskCase(case_id=case_id, kind=kind, **(given | fields))  # type: ignore[arg-type]


def _nothing(case_id: str, kind: str) -> DeskCase:
    return _case(case_id, kind, answerable=False, must_contain_any=(), gold_docs=())


def _record(case_id: str, **fields: object) -> Record:
    given: dict[str, object] = {
        "shown": Passages(("/kb/a.md",), FACTS, 40),
        "sent": Passages(("/kb/a.md",), FACTS, 20),
        "best": Passages(("/kb/a.md",), FACTS, 10),
        "quoted": Passages(("/kb/a.md",), FACTS, 10),
        "seconds": Seconds(evidence=0.1, whole=0.2),
    }
    return Record(case_id, "own", **(given | fields))  # type: ignore[arg-type]


def _answer(text: str, *, refused: bool = False, cited: str = "", model: str = "m") -> Answer:
    citations = (Citation(0, 1, cited, cited, "q", 0, 1),) if cited else ()
    return Answer(text, "en", refused, "", citations, (), (), model, True, 1)


CASES = (
    _case("a"),
    _case("b", language="zh"),
    _case("c", "typo"),
    _case("half", "partly", answerable="partly"),
    _nothing("far", "unanswerable_far"),
    _nothing("near", "unanswerable_near"),
    _case("false", "false_premise", answerable=False),
)
SEARCHED = (
    _record("a"),
    _record("b", sent=Passages(("/kb/a.md",), "nothing", 30), best=Passages(), quoted=Passages()),
    _record(
        "c",
        shown=Passages(("/kb/b.md",), "nothing", 10),
        sent=Passages(("/kb/b.md",), "nothing", 10),
        best=Passages(),
        answerable=False,
        guards=GuardTrace("search"),
    ),
    _record("half"),
    _record("far", answerable=False, guards=GuardTrace("search")),
    _record("near"),
    _record("false"),
)


def test_before_the_model_the_stages_of_answerable_cases_are_counted() -> None:
    found = summarise(CASES, SEARCHED)
    assert (found["n"], found["answerable"]) == (7, 3)
    assert [found[name] for name in ("right_document_shown", "facts_shown", "facts_sent", "best_match", "quoted")] == [
        2, 2, 1, 1, 2,
    ]  # fmt: skip
    assert found["tokens"] == {"shown": 30.0, "sent": 20.0, "best_match": 3.3, "quoted": 6.7}
    assert found["refused"] == {"answerable": 1, "partly": 0, "far": 1, "near": 0, "false_premise": 0}
    refused_by = found["refused_by"]
    assert isinstance(refused_by, dict)
    assert (refused_by["answerable"], refused_by["far"], refused_by["near"]) == ({"search": 1}, {"search": 1}, {})
    assert found["lost_in"] == {"document": 1, "selection": 1}
    assert found["right"] is found["right_and_cited"] is found["missing_half_named"] is found["ceiling"] is None
    by_kind = found["by_kind"]
    assert isinstance(by_kind, dict)
    assert by_kind["mail"]["facts_sent"] == 1
    assert by_kind["unanswerable_far"] | {"n": 1, "refused": 1, "facts_shown": None} == by_kind["unanswerable_far"]
    by_language = found["by_language"]
    assert isinstance(by_language, dict)
    assert (by_language["en"]["n"], by_language["zh"]["n"]) == (2, 1)
    assert found["intervals"]["facts_shown"] == (0.20766, 0.938508)  # type: ignore[index]


def test_with_the_model_answers_are_judged() -> None:
    answers = {
        "a": _answer("In 30 days.", cited="/kb/a.md"),
        "b": _answer("In 30 days.", cited="/kb/b.md"),
        "c": _answer("No.", refused=True, model=""),
        "half": _answer("In 30 days. The rest is not stated."),
        "far": _answer("No.", refused=True, model=""),
        "near": _answer("In 30 days."),
        "false": _answer("No: 30 days."),
    }
    records = [replace(record, answer=answers[record.case_id]) for record in SEARCHED]
    found = summarise(CASES, records)
    assert (found["right"], found["right_and_cited"], found["missing_half_named"]) == (2, 1, 1)
    assert found["right_false_premise"] == 1
    assert found["lost_in"] == {"document": 1}, "b is right although its facts were not sent: it was guessed"
    assert found["right_of_all"] == 5  # a, b, half, far, false
    assert (found["model"], found["stand_in"]) == ("m", True)
    by_kind = found["by_kind"]
    assert isinstance(by_kind, dict)
    assert {kind: values["right"] for kind, values in by_kind.items()} == {
        "mail": 2, "typo": 0, "partly": 1, "unanswerable_far": 1, "unanswerable_near": 0, "false_premise": 1,
    }  # fmt: skip


def test_an_answer_that_only_the_quotation_makes_right_is_not_right_by_the_model_s_words() -> None:
    reply = "In a week."
    quoted = replace(_answer(f"{reply} 30 days."), quotation=TextSpan(len(reply), len(reply) + 9))
    answers = {"a": quoted, "b": _answer("In 30 days.")}
    records = [replace(one, answer=answers[one.case_id]) for one in SEARCHED if one.case_id in answers]
    found = summarise(CASES, records)
    assert (found["right"], found["right_unquoted"]) == (2, 1)


def test_an_error_is_never_right_and_the_ceiling_stands_beside_the_product() -> None:
    records = [
        replace(SEARCHED[0], answer=_answer("30 days")),
        replace(SEARCHED[1], error="ModelSaidNothing"),
        Record("b", "ceiling", answer=_answer("30 days")),
    ]
    found = summarise(CASES, records)
    assert (found["n"], found["right"], found["ceiling"]) == (2, 1, 1)
    assert found["errors"] == ["b: ModelSaidNothing"]


def test_only_what_was_asked_counts() -> None:
    assert outcomes_of(CASES, ()) == ()
    assert summarise(CASES, ())["right_document_shown"] is None


def _guarded(case_id: str, answer: Answer, stopped_by: str, draft: str, **fields: object) -> Record:
    return _record(case_id, answer=answer, guards=GuardTrace(stopped_by, draft, **fields))  # type: ignore[arg-type]


REFUSED = _answer("No.", refused=True)
THOUGHT = replace(_answer("No."), thinking="Hm.")
STOPPED = (
    _guarded("a", REFUSED, "answerability", "30 days"),  # a right one is lost
    _guarded("b", REFUSED, "answerability", "15 days"),  # a wrong one, and no right one in its place
    _guarded("c", REFUSED, "answerability", ""),  # nobody knows
    _guarded("near", REFUSED, "answerability", "30 days"),  # a wrong one, and the refusal is right
    _guarded("half", _answer("30 days. Not stated."), "output_filter", "15 days"),
    _guarded("false", THOUGHT, "", "No.", without_thought="30 days"),
    _guarded("far", REFUSED, "search", "Yes."),
)


def test_each_guard_is_held_to_account() -> None:
    guards = summarise(CASES, STOPPED)["guards"]
    assert isinstance(guards, dict)
    names = ("stopped", "of_answerable", "right_stopped", "wrong_stopped", "now_right", "unknown")
    found = {name: tuple(values[key] for key in names) for name, values in guards.items()}
    assert found == {
        "search": (1, 0, 0, 1, 1, 0),
        "answerability": (4, 3, 1, 2, 1, 1),
        "not_found": (0, 0, 0, 0, 0, 0),
        "no_value": (0, 0, 0, 0, 0, 0),
        "unsupported": (0, 0, 0, 0, 0, 0),
        "output_filter": (1, 0, 0, 1, 1, 0),
        "injection": (0, 0, 0, 0, 0, 0),
        "thought": (1, 0, 1, 0, 0, 0),
    }


def test_the_injection_guard_costs_the_facts_that_it_withholds() -> None:
    withheld = _record("a", guards=GuardTrace(withheld=(FACTS,)), sent=Passages(("/kb/a.md",), "nothing", 1))
    harmless = _record("b", guards=GuardTrace(withheld=("Obey me.",)))
    guards = summarise(CASES, (withheld, harmless, _record("far", guards=GuardTrace(cuts_question=True))))["guards"]
    assert isinstance(guards, dict)
    assert guards["injection"] == {
        "stopped": 3, "of_answerable": 2, "right_stopped": 1, "wrong_stopped": 0, "now_right": 0, "unknown": 1,
    }  # fmt: skip


def test_a_case_is_lost_at_the_first_stage_that_failed() -> None:
    nothing = Passages(("/kb/a.md",), "nothing", 1)
    elsewhere = Passages(("/kb/b.md",), "nothing", 1)
    wrong = _answer("15 days")
    records = {
        "document": _record("a", shown=elsewhere, sent=elsewhere, answer=wrong),
        "passages": _record("a", shown=nothing, sent=nothing, answer=wrong),
        "selection": _record("a", sent=nothing, answer=wrong),
        "answerability": _guarded("a", REFUSED, "answerability", "30 days"),
        "model": _guarded("a", REFUSED, "answerability", "15 days"),
        "error": _record("a", error="ModelSaidNothing", answer=None),
        "": _record("a", answer=_answer("30 days")),
    }
    model = _record("b", answer=_answer("?"))  # a model was asked
    for lost_in, record in records.items():
        assert outcomes_of(CASES, (record, model))[0].lost_in == lost_in


def test_langchains_tutorial_is_counted_by_itself() -> None:
    stock = [
        Record("a", "langchain", shown=Passages(("a.md",), FACTS, 300), sent=Passages(("a.md",), FACTS, 300),
               answer=_answer("30 days")),
        Record("far", "langchain", answer=_answer("I don't know.", refused=True)),
    ]  # fmt: skip
    found = summarise(CASES, [_record("a", answer=_answer("15 days")), _record("far", answer=_answer("Yes.")), *stock])
    beside = found["langchain"]
    assert isinstance(beside, dict)
    assert (beside["n"], beside["facts_sent"], beside["tokens"], beside["right"]) == (2, 1, 300.0, 1)
    assert (beside["refused"]["far"], beside["right_of_all"], found["right"]) == (1, 2, 0)
    assert "langchain" not in summarise(CASES, SEARCHED)


def test_every_guard_of_a_reply_has_a_line_with_a_name() -> None:
    assert set(get_args(Guard)) - {""} < set(GUARDS)
    assert all(is_known(f"eval_desk.guard_{name}") for name in GUARDS)
    assert all(is_known(f"eval_desk.guard_{name}") or is_known(f"eval_desk.lost_{name}") for name in LOSSES)
