from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.generation.answerability import (
    AnswerabilityFit,
    answerability_fit_of,
    judge_answerable,
    yes_probability,
)
from rag.generation.prompt import build_messages
from rag.protocols import GeneratedText, GenerationFinished
from rag.schema import Language
from rag.storage.calibration import save_calibration
from rag.testing import ScriptedGenerator

FIT = AnswerabilityFit(intercept=-1.0, yes=2.0, retrieval=0.5, chinese=1.0, refuse_below=0.3)


def says(*candidates: tuple[str, float]) -> ScriptedGenerator:
    return ScriptedGenerator(lambda messages: [GeneratedText("yes"), GenerationFinished(first_token=candidates)])


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([("yes", 0.9), ("no", 0.1)], 0.9),
        ([("Yes", 0.3), (" yes", 0.3), ("NO", 0.2)], 0.75),
        ([("是", 0.2), ("没有", 0.6)], 0.25),
        ([("The", 0.9), ("no", 0.05)], None),
        ([], None),
    ],
)
def test_yes_beside_no(candidates: list[tuple[str, float]], expected: float | None) -> None:
    assert yes_probability(candidates) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("language", "asked"), [("en", "yes or no"), ("zh", "回答 yes 或 no")])
def test_the_model_is_asked_behind_the_answers_own_prompt(language: Language, asked: str) -> None:
    generator = says(("yes", 0.8), ("no", 0.2))
    messages = build_messages("How long?", [], language)
    found = judge_answerable(generator, messages, language)
    assert found.yes == pytest.approx(0.8)
    (sent,) = generator.calls
    assert sent[:-1] == messages[:-1]
    assert sent[-1].content.startswith(messages[-1].content)
    assert asked in sent[-1].content.splitlines()[-1]


@pytest.mark.slow
@given(a=st.floats(0, 1), b=st.floats(0, 1), retrieval=st.floats(0, 1), language=st.sampled_from(["en", "zh"]))
def test_more_yes_is_never_less_probable(a: float, b: float, retrieval: float, language: Language) -> None:
    low, high = sorted((a, b))
    less = FIT.probability(yes=low, retrieval=retrieval, language=language)
    more = FIT.probability(yes=high, retrieval=retrieval, language=language)
    assert 0 <= less <= more <= 1


def test_each_model_has_its_own_fit_or_none(tmp_path: Path) -> None:
    fit = {"intercept": 0, "yes": 1, "retrieval": 0, "chinese": 0, "refuse_below": 0.2}
    save_calibration(tmp_path, {"readers": {"a:1b": fit}})
    assert answerability_fit_of(tmp_path, "a:1b") == AnswerabilityFit(0, 1, 0, 0, 0.2)
    assert answerability_fit_of(tmp_path, "a:7b") is None
