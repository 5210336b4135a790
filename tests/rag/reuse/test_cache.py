"""An answer is given again to the same question only, and only while everything that it rests on is the same."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rag.errors import GlossaryUnusable
from rag.pipeline import Pipeline
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished
from rag.reuse.cache import NEVER_MATTERS, AnswerCache, AnswerSources
from rag.reuse.curated import Curation
from rag.schema import Completed, Conflict, Document, Retrieved, TextSpan
from rag.settings import Settings
from rag.storage.cached import CACHE_NAME, CachedAnswers
from rag.storage.calibration import CALIBRATION_NAME, save_calibration
from rag.storage.curated import CuratedAnswers
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, ScriptedGenerator, offline_parts, publish_documents
from rag.tracing import Trace

pytestmark = pytest.mark.slow

QUESTION = "How long can I send an item back?"
RULE = "You can send back any item within 30 days of delivery."
FINISHED = GenerationFinished(generated_tokens=12, generation_ms=100.0)


class Desk:
    """A pipeline with a cache; ``day`` and ``model`` can be set."""

    def __init__(
        self,
        folder: Path,
        *documents: Document,
        reply: str = RULE,
        finished: GenerationFinished = FINISHED,
        **changes: object,
    ) -> None:
        self.generator = ScriptedGenerator(
            lambda messages: [GeneratedThinking("Let me see."), GeneratedText(reply), finished]
        )
        parts = offline_parts(folder, documents or SAMPLE_DOCUMENTS, generator=self.generator)
        self.settings = Settings.model_validate({**parts.settings.model_dump(), **changes})
        self.day = date(2026, 11, 25)
        self.parts = replace(parts, settings=self.settings, today=lambda: self.day)
        self.folder = self.settings.knowledge_dir
        self.kept = CachedAnswers(self.folder)
        self.cache = AnswerCache(parts.store, self.kept, self.settings, today=lambda: self.day)
        answer_sources = AnswerSources(Curation(parts.store, CuratedAnswers(self.folder)), self.cache)
        self.pipeline = Pipeline(replace(self.parts, answer_sources=answer_sources))

    def lane(self, question: str = QUESTION, **asking: bool) -> str:
        return self.pipeline.answer(question, **asking).lane  # type: ignore[arg-type]


def test_the_same_question_has_the_same_answer_without_the_model(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first = list(desk.pipeline.stream(QUESTION))
    events = list(desk.pipeline.stream("Hello! How long can I send an item back? Thanks."))
    assert [type(event) for event in events] == [Retrieved, Completed]
    assert len(desk.generator.calls) == 1
    again, original = events[-1], first[-1]
    assert isinstance(again, Completed)
    assert isinstance(original, Completed)
    assert events[0] == replace(first[0], answerable_probability=1.0)  # type: ignore[type-var]
    assert (again.answer.text, again.answer.citations) == (original.answer.text, original.answer.citations)
    assert (again.answer.lane, again.answer.model, again.answer.stand_in) == ("cached", "scripted", True)
    assert again.answer.origin is not None
    assert (again.answer.origin.author, again.answer.origin.generation) == ("", 1)
    assert [span.name for span in again.answer.spans] == ["search", "total"]
    assert (again.generated_tokens, again.generation_ms) == (0, 0.0)


def test_a_code_has_an_answer_in_each_reader_s_language(tmp_path: Path) -> None:
    document = Document("codes.md", "/codes.md", "Codes", "E07 means that the sensors are dusty.", "en")
    desk = Desk(tmp_path, document, reply=document.text)
    for language in ("en", "zh"):
        first = desk.pipeline.answer("E07", reader_language=language)
        assert (first.language, first.lane) == (language, "model")
        assert desk.pipeline.answer("E07", reader_language=language).lane == "cached"
    assert desk.pipeline.answer("E07", earlier=["机器报错了"]).language == "zh"
    assert desk.pipeline.answer("What does E07 mean?", reader_language="zh").language == "en"


@pytest.mark.parametrize(
    "question",
    [
        "How long can I send two items back?",
        "How long can't I send an item back?",
        "How long can you send an item back?",
        "How can I send an item back?",
        "How long before can I send an item back?",
    ],
)
def test_another_question_is_answered_anew(tmp_path: Path, question: str) -> None:
    desk = Desk(tmp_path)
    assert (desk.lane(), desk.lane(question), desk.lane()) == ("model", "model", "cached")


def test_whoever_wants_a_new_answer_gets_one_and_the_cache_keeps_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert (desk.lane(), desk.lane(fresh=True), desk.lane()) == ("model", "model", "cached")
    assert desk.kept.count() == 1
    assert desk.lane(think=True) == "model"


def test_another_generation_model_prompt_or_day_has_no_use_for_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, replace(SAMPLE_DOCUMENTS[0], metadata={"valid_until": "2026-11-25"}))
    assert (desk.lane(), desk.lane()) == ("model", "cached")
    desk.day = date(2026, 11, 26)
    assert desk.cache.answer(QUESTION, None, Trace()) is None
    desk.day = date(2026, 11, 25)
    for changes in ({"temperature": 0.9}, {"model": "other"}, {"prompt_evidence_tokens": 99}):
        other = AnswerCache(desk.parts.store, desk.kept, desk.settings.changed(**changes))
        assert other.answer(QUESTION, None, Trace()) is None
    publish_documents(desk.folder, SAMPLE_DOCUMENTS, HashEmbedder())
    assert desk.cache.answer(QUESTION, None, Trace()) is None
    assert desk.lane() == "model"
    assert desk.kept.count() == 1


OTHER_VALUES: dict[str, object] = {
    "ollama_host": "other:11434",
    "model": "other",
    "context_tokens": 2048,
    "kv_cache_type": "q8_0",
    "embedder": "openvino",
    "embedding_model": "other",
    "reranker": "other",
    "candidates": 20,
    "top_k": 2,
    "query_expansion": True,
    "refusal_threshold": 0.123,
    "thinking": "on",
    "thinking_budget_tokens": 99,
    "answer_budget_tokens": 99,
    "quote_below_reply": True,
    "evidence_budget_tokens": 99,
    "prompt_evidence_tokens": 99,
    "prompt_evidence_seconds": 1.0,
    "prompt_evidence_most_tokens": 999,
    "profile": "code",
    "temperature": 0.9,
    "top_p": 0.5,
    "repeat_penalty": 1.1,
    "question_limit_characters": 999,
}
"""Of every setting that decides about an answer, another value than the desk's."""


def test_every_setting_decides_or_is_known_not_to() -> None:
    assert not NEVER_MATTERS & set(OTHER_VALUES)
    assert NEVER_MATTERS | set(OTHER_VALUES) == set(Settings.model_fields)


def test_an_answer_serves_under_the_same_deciding_settings_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.lane()
    for name, value in OTHER_VALUES.items():
        other = AnswerCache(desk.parts.store, desk.kept, desk.settings.changed(**{name: value}))
        assert other.answer(QUESTION, None, Trace()) is None, name
    elsewhere = desk.settings.changed(parallel_slots=7, user_name="Lin", chunk_tokens=64, metrics_port=9100)
    assert AnswerCache(desk.parts.store, desk.kept, elsewhere).answer(QUESTION, None, Trace()) is not None


@pytest.mark.parametrize("named", [True, False])
def test_other_words_in_the_glossary_ask_anew(tmp_path: Path, named: bool) -> None:
    desk = Desk(tmp_path)
    desk.lane()
    path = (tmp_path if named else desk.folder) / "glossary.txt"
    settings = desk.settings.changed(glossary=path) if named else desk.settings

    def serves() -> bool:
        return AnswerCache(desk.parts.store, desk.kept, settings).answer(QUESTION, None, Trace()) is not None

    path.write_text("# no words yet\n", encoding="utf-8")
    assert serves()
    path.write_text("item, parcel\n", encoding="utf-8")
    assert not serves()
    path.write_text("# none again\n", encoding="utf-8")
    assert serves()
    path.write_text("alone\n", encoding="utf-8")
    with pytest.raises(GlossaryUnusable):
        serves()


def test_another_calibration_asks_anew_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert (desk.lane(), desk.lane()) == ("model", "cached")
    save_calibration(desk.folder, {"readers": {"scripted": {"slope": 1.0}}})
    assert desk.cache.answer(QUESTION, None, Trace()) is None
    (desk.folder / CALIBRATION_NAME).unlink()
    assert desk.lane() == "cached"


def test_an_answer_of_another_model_is_forgotten(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.lane()
    events = list(desk.pipeline.stream("How long for the kettle?", fresh=True))
    found, completed = events[0], events[-1]
    assert isinstance(found, Retrieved)
    assert isinstance(completed, Completed)
    other = replace(completed, answer=replace(completed.answer, model="deepseek-r1:7b"))
    desk.cache.keep("How long for the kettle?", None, found.evidence, other)
    assert desk.cache.answer(QUESTION, None, Trace()) is None


def test_only_well_supported_whole_answers_are_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    events = list(desk.pipeline.stream(QUESTION))
    found, good = events[0], events[-1]
    assert isinstance(found, Retrieved)
    assert isinstance(good, Completed)
    (citation, *_) = good.answer.citations
    doubtful = tuple(replace(one, audience="internal") for one in found.evidence)
    outdated = tuple(replace(one, expired_on=date(2026, 1, 1)) for one in found.evidence)
    conflict = Conflict(1, 2, "a", "b", "x", "y")
    assert desk.cache.keep(QUESTION, None, found.evidence, good)
    for evidence, completed in [
        (found.evidence, replace(good, answer=replace(good.answer, unsupported=(TextSpan(0, 3),)))),
        (found.evidence, replace(good, answer=replace(good.answer, citations=()))),
        (found.evidence, replace(good, answer=replace(good.answer, conflicts=(conflict,)))),
        (found.evidence, replace(good, answer=replace(good.answer, lane="refusal", refused=True))),
        (found.evidence, replace(good, answer=replace(good.answer, lane="quotation", instead_of="QueueFull"))),
        (found.evidence, replace(good, answer=replace(good.answer, lane="quotation"))),  # in the place of a reply
        (found.evidence, replace(good, finish_reason="length")),
        (found.evidence, replace(good, finish_reason="repetition")),
        (found.evidence, replace(good, generated_tokens=0)),
        (doubtful, good),
        (outdated, good),
    ]:
        assert not desk.cache.keep(QUESTION, None, evidence, completed)
    assert citation.document_id == "returns.md"


def test_a_whole_answer_with_a_thought_is_kept_however_long_both_are(tmp_path: Path) -> None:
    finished = GenerationFinished(generated_tokens=400, generation_ms=100.0)
    desk = Desk(tmp_path, finished=finished, thinking_budget_tokens=256, answer_budget_tokens=384)
    assert [desk.lane(think=True), desk.lane(think=True)] == ["model", "cached"]


@pytest.mark.parametrize(
    ("reply", "reason"), [(RULE, "length"), (f"{RULE} {'It is free of charge. ' * 40}", "stop")], ids=["budget", "loop"]
)
def test_an_answer_that_was_cut_is_not_kept(tmp_path: Path, reply: str, reason: str) -> None:
    desk = Desk(tmp_path, reply=reply, finished=replace(FINISHED, reason=reason))
    assert [desk.lane(), desk.lane()] == ["model", "model"]


def test_a_stopped_answer_is_not_kept(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    events = desk.pipeline.stream(QUESTION)
    next(events)
    next(events)
    events.close()
    assert not (desk.folder / CACHE_NAME).exists()


def test_the_cache_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path, cached_answers=3)
    questions = [f"How long can I send item {number} back?" for number in (11, 12, 13, 14)]
    assert [desk.lane(question) for question in questions] == ["model"] * 4
    assert desk.kept.count() == 3
    assert [desk.lane(question) for question in reversed(questions)] == ["cached"] * 3 + ["model"]


def test_none_are_kept_where_nobody_wants_them(tmp_path: Path) -> None:
    desk = Desk(tmp_path, cached_answers=0)
    assert (desk.lane(), desk.lane()) == ("model", "model")
    assert not (desk.folder / CACHE_NAME).exists()


def test_a_damaged_cache_is_passed_by(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(tmp_path)
    (desk.folder / CACHE_NAME).write_bytes(b"no database at all, and long enough to be read as one" * 100)
    assert desk.lane() == "model"
    assert "passed by" in caplog.text
    assert "not cached" in caplog.text
