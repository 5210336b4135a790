"""A knowledge base finds its own refusal threshold, where the search of its embedder is fitted."""

from pathlib import Path

import pytest

from ingest import self_calibration
from ingest.self_calibration import FAR_REFUSED, calibrate_itself, far_questions
from rag.retrieval.confidence import load_confidence
from rag.retrieval.retriever import Retriever
from rag.schema import Document
from rag.settings import Settings
from rag.storage.calibration import ExpectedRefusals, read_calibration, save_calibration
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, publish_documents
from rag.tracing import Trace

THINGS = ("kettle", "toaster", "lamp", "robot", "fridge", "oven", "heater", "fan", "scale", "mixer", "grill", "radio")


def documents(things: int) -> list[Document]:
    texts = {
        f"{part}-{thing}": f"## {part} of the {thing}\n\nThe {part} of the {thing} costs {number} pounds."
        for number, thing in enumerate(THINGS[:things])
        for part in ("repair", "delivery")
    }
    return [Document(name, f"/kb/{name}.md", name.replace("-", " "), text, "en") for name, text in texts.items()]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(self_calibration, "fitted_confidence", load_confidence)
    settings = Settings(data_dir=tmp_path)
    publish_documents(settings.knowledge_dir, documents(len(THINGS)), HashEmbedder())
    return settings


@pytest.mark.slow
def test_the_threshold_refuses_most_far_questions_and_hardly_any_own_heading(settings: Settings) -> None:
    assert calibrate_itself(settings, HashEmbedder())
    found = read_calibration(settings.knowledge_dir)["automatic"]
    assert found["chunks"] == 4 * len(THINGS)  # a heading and a sentence of each part
    assert float(str(found["far_refused"])) <= FAR_REFUSED + 0.02
    assert float(str(found["own_refused"])) <= 0.05
    expected = ExpectedRefusals.of(settings.knowledge_dir)
    assert expected is not None
    assert (expected.threshold, expected.far) == (found["threshold"], (found["far_refused"], len(far_questions())))
    assert expected.near[1] >= 16
    assert expected.near[0] >= expected.own[0]  # what answers them was left out
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    assert retriever.retrieve("repair of the kettle", "en", Trace()).threshold == found["threshold"]


@pytest.mark.slow
def test_it_is_found_anew_only_when_the_knowledge_base_has_changed(settings: Settings) -> None:
    assert calibrate_itself(settings, HashEmbedder())
    assert not calibrate_itself(settings, HashEmbedder())
    publish_documents(settings.knowledge_dir, [*documents(len(THINGS)), *_more(8)], HashEmbedder())
    assert calibrate_itself(settings, HashEmbedder())


@pytest.mark.slow
def test_a_threshold_of_former_fits_serves_until_it_is_found_anew(settings: Settings) -> None:
    calibrate_itself(settings, HashEmbedder())
    found = read_calibration(settings.knowledge_dir)["automatic"]
    save_calibration(settings.knowledge_dir, {"automatic": {**found, "threshold": 0.0123, "fit": "former"}})
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    assert retriever.retrieve("repair of the kettle", "en", Trace()).threshold == 0.0123
    assert calibrate_itself(settings, HashEmbedder())
    assert retriever.retrieve("repair of the kettle", "en", Trace()).threshold == found["threshold"]


def _more(count: int) -> list[Document]:
    return [
        Document(f"new-{n}", f"/kb/new-{n}.md", f"New {n}", f"Something new, number {n}.", "en") for n in range(count)
    ]


@pytest.mark.slow
def test_labelled_questions_take_its_place(settings: Settings) -> None:
    calibrate_itself(settings, HashEmbedder())
    save_calibration(settings.knowledge_dir, {"search": {"slope": 1.0, "intercept": 0.0, "threshold": 0.123}})
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), HashEmbedder(), settings)
    assert retriever.retrieve("repair of the kettle", "en", Trace()).threshold == 0.123
    assert ExpectedRefusals.of(settings.knowledge_dir) is None


def test_an_embedder_without_a_fit_and_a_handful_of_passages_keep_what_was_shipped(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    publish_documents(settings.knowledge_dir, documents(2), HashEmbedder())
    assert not calibrate_itself(settings, HashEmbedder())
    assert "automatic" not in read_calibration(settings.knowledge_dir)


def test_both_languages_ask_alike_and_no_question_twice() -> None:
    asked = far_questions()
    by_language = {language: [text for text, own in asked if own == language] for language in ("en", "zh")}
    assert len(by_language["en"]) == len(by_language["zh"]) >= 40
    assert len(set(asked)) == len(asked)
