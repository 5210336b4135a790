"""Cases are counted stage by stage, against numbers worked out by hand."""

from dataclasses import replace

from eval.desk.cases import DeskCase
from eval.desk.figures import outcomes_of, summarise
from eval.desk.records import Passages, Record, Seconds
from rag.schema import Answer, Citation

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
    ),
    _record("half"),
    _record("far", answerable=False),
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
    assert found["refused_by_search"] == 1
    assert found["right"] is found["right_and_cited"] is found["missing_half_named"] is found["ceiling"] is None
    by_kind = found["by_kind"]
    assert isinstance(by_kind, dict)
    assert by_kind["mail"]["facts_sent"] == 1
    assert by_kind["unanswerable_far"] | {"n": 1, "refused": 1, "facts_shown": None} == by_kind["unanswerable_far"]
    by_language = found["by_language"]
    assert isinstance(by_language, dict)
    assert (by_language["en"]["n"], by_language["zh"]["n"]) == (2, 1)
    assert found["intervals"]["facts_shown"] == (0.2077, 0.9385)  # type: ignore[index]


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
    assert found["right_of_all"] == 5  # a, b, half, far, false
    assert (found["model"], found["stand_in"]) == ("m", True)
    by_kind = found["by_kind"]
    assert isinstance(by_kind, dict)
    assert {kind: values["right"] for kind, values in by_kind.items()} == {
        "mail": 2, "typo": 0, "partly": 1, "unanswerable_far": 1, "unanswerable_near": 0, "false_premise": 1,
    }  # fmt: skip


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
