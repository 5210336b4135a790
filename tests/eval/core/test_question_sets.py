"""Where questions come from when none are named."""

from argparse import Namespace
from pathlib import Path

import pytest

from eval.answers.metrics import gold_kind
from eval.commands.shared import chosen_sets, write_json
from eval.core.question_sets import QuestionSet, stored_questions
from rag.errors import KnowledgeBaseMissing, SettingsError
from rag.settings import Settings, load_settings
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.testing import offline_parts

KEPT = (
    RegressionQuestion("How long can I send it back?", "en", ("returns.md",), "within 30 days"),
    RegressionQuestion("退款多久到账？", "zh", ("refund.md",), origin="correction"),
    RegressionQuestion("Who pays?", "en", ("postage.md",), answers=("It is free.",), key_points=(("free", "no cost"),)),
    RegressionQuestion("谁付邮费？", "zh", ("邮费.md",), origin="correction", answers=("免费。",)),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    parts = offline_parts(tmp_path)
    store = KnowledgeStore(parts.settings.knowledge_dir)
    for one in KEPT:
        RegressionQuestions(store).add(one)
    store.close()
    return parts.settings


def options(**given: object) -> Namespace:
    return Namespace(**({"corpus": [], "questions": [], "sets": None, "kb": ""} | given))


@pytest.mark.slow
def test_a_knowledge_base_has_questions_of_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(settings.data_dir))
    load_settings.cache_clear()
    (own,) = chosen_sets(options(kb="default"))
    load_settings.cache_clear()
    assert (own.name, own.corpus) == ("default", None)
    assert {one.relevant for one in own.questions} == {("returns.md",), ("refund.md",), ("postage.md",), ("邮费.md",)}
    assert {one.kind for one in own.questions} == {"file", "correction"}
    judged = [(one.answers, gold_kind(one)) for one in own.answerable().questions]
    assert judged == [(("within 30 days",), "span"), (("It is free.",), "key_points"), (("免费。",), "span")]


def test_a_knowledge_base_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeBaseMissing):
        stored_questions(Settings(data_dir=tmp_path))


def test_the_sample_is_asked_where_nothing_is_named() -> None:
    (sample,) = chosen_sets(options())
    assert sample.corpus is not None
    (desk,) = chosen_sets(options(), sample=None)
    assert desk.corpus is None
    assert desk.questions == sample.questions
    with pytest.raises(SettingsError, match="answer"):
        QuestionSet("none", None, ()).answerable()


def test_figures_that_cannot_be_written_are_one_sentence(tmp_path: Path) -> None:
    write_json(None, {})
    with pytest.raises(SettingsError, match="nowhere"):
        write_json(tmp_path / "nowhere" / "figures.json", {})
