"""Examples are the product's own messages, with a reply that the passages support."""

from pathlib import Path

import pytest

from eval.desk.cases import DeskCase
from eval.train.examples import ExampleMaker, is_sentence
from eval.train.questions import TrainingCase
from rag.generation.prompt import build_messages, reply_prompt
from rag.generation.refusal import not_found_sentence
from rag.grounding.answered_parts import says_not_found
from rag.pipeline import Pipeline
from rag.protocols import Message
from rag.testing import offline_parts

RULE = "You can send back any item within 30 days of delivery."
QUESTION = "Within how many days can I send back any item?"


def asked(
    answer: str = "", quote: str = "", *facts: str, answerable: bool = True, trusted: bool = False
) -> TrainingCase:
    case = DeskCase(
        "c", "en", "mail", (QUESTION,), answerable, must_contain_any=tuple((fact,) for fact in facts),
        gold_docs=("returns.md",) if answerable else (), gold_quote=quote,
    )  # fmt: skip
    return TrainingCase(case, answer, frozenset(case.gold_docs), trusted)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(offline_parts(tmp_path, refusal_threshold=0.0))


def replies(pipeline: Pipeline, *cases: TrainingCase) -> list[str]:
    return [one.reply for one in ExampleMaker(pipeline, (), ()).make(cases, 0).examples if one.answerable]


@pytest.mark.slow
def test_the_messages_are_those_that_the_product_sends(pipeline: Pipeline) -> None:
    closed = Message("assistant", "")
    (example, *_) = ExampleMaker(pipeline, (), [closed]).make([asked(RULE, "", "30 days")], 0).examples
    request, _ = pipeline.prepare(QUESTION)
    messages = build_messages(request.question, request.evidence, "en", request.previous)
    assert list(example.messages) == [*reply_prompt(messages, request.question, "en"), closed]
    assert RULE in example.messages[1].content
    assert example.reply == RULE


@pytest.mark.slow
def test_a_phrase_is_replaced_by_the_sentence_that_holds_it(pipeline: Pipeline) -> None:
    assert replies(pipeline, asked("30 days.", "", "30 days")) == [RULE]
    assert replies(pipeline, asked("", "within 30 days", "30 days")) == [RULE]


@pytest.mark.slow
def test_a_reply_that_nothing_supports_or_that_lacks_a_fact_is_left_out(pipeline: Pipeline) -> None:
    maker = ExampleMaker(pipeline, (), ())
    wrong = asked("You can send it back within 90 days of delivery.", "", "90 days")
    assert maker.make([wrong], 0).left_out == {"unsupported": 1}
    assert maker.make([asked("", "", "45 days")], 0).left_out == {"no_reply": 1}
    assert maker.make([asked("任何商品都可以在签收后三十天内退回。", trusted=True)], 0).left_out == {
        "other_language": 1
    }


@pytest.mark.slow
def test_what_a_person_of_the_team_wrote_counts_as_it_stands(pipeline: Pipeline) -> None:
    assert replies(pipeline, asked("Thirty days, gladly.", trusted=True)) == ["Thirty days, gladly."]


@pytest.mark.slow
def test_a_document_that_is_held_out_is_found_for_no_example(pipeline: Pipeline) -> None:
    maker = ExampleMaker(pipeline, [asked(RULE)], ())
    assert maker.make([asked(RULE, "", "30 days")], 0).left_out == {"not_read": 1}
    (other,) = maker.make([asked(answerable=False)] * 1 + [], 0).examples or (None,)
    assert other is None  # without answerable ones a fifth of them is none


@pytest.mark.slow
def test_a_fifth_has_no_answer_and_says_so(pipeline: Pipeline) -> None:
    cases = [asked(RULE, "", "30 days")] * 8
    made = ExampleMaker(pipeline, (), ()).make(cases, 0)
    without = [one for one in made.examples if not one.answerable]
    assert (len(made.examples), len(without)) == (10, 2)
    assert all(RULE not in one.messages[1].content for one in without)
    assert {one.reply for one in without} == {not_found_sentence("en")}


def test_the_products_sentence_is_known_to_its_guard() -> None:
    assert says_not_found(not_found_sentence("en")) and says_not_found(not_found_sentence("zh"))


def test_a_phrase_is_no_sentence() -> None:
    assert is_sentence("仓库签收后两个工作日内质检。", "zh") and not is_sentence("15 天。", "zh")
    assert not is_sentence("Within 30 days of delivery", "en")
