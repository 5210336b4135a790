"""Why something was found, or was not: the whole way to the model, with the fakes that are shipped."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rag.errors import QuestionEmpty
from rag.explanation import Explanation, explain
from rag.generation.prompt import build_messages, reply_prompt
from rag.pipeline import Pipeline
from rag.schema import Document, Retrieved
from rag.testing import SAMPLE_DOCUMENTS, build_offline_pipeline, offline_parts

pytestmark = pytest.mark.slow

QUESTION = "How long can I return an order, and is the label free?"
NOISE = tuple(
    Document(f"note{number}.md", f"/sample/note{number}.md", "Note", f"Note {number}: about shelf {number}.", "en")
    for number in range(12)
)


def explained(folder: Path, question: str = QUESTION, *documents: Document, **settings: object) -> Explanation:
    parts = offline_parts(folder, [*SAMPLE_DOCUMENTS, *documents])
    changed = replace(parts, settings=parts.settings.changed(**settings), today=lambda: date(2026, 11, 25))
    return explain(Pipeline(changed), question)


def test_it_tells_what_an_answer_would_rest_on(tmp_path: Path) -> None:
    pipeline = build_offline_pipeline(tmp_path)
    told = explain(pipeline, QUESTION)
    retrieved = next(event for event in pipeline.stream(QUESTION) if isinstance(event, Retrieved))
    assert told.evidence == retrieved.evidence
    assert (told.answerable, told.probability, told.threshold) == (
        retrieved.answerable, retrieved.answerable_probability, 0.0,
    )  # fmt: skip
    assert list(told.messages) == reply_prompt(build_messages(told.question, told.evidence, "en"), told.question, "en")
    assert 0 < told.sent.used <= told.sent.limit
    assert 0 < told.shown.used <= told.shown.limit
    sent = [one for one in told.chunks if one.status == "sent"]
    assert {one.seen.chunk.document_id for one in sent} == {
        passage.document_id for passage in told.evidence if passage.sent
    }
    assert all(one.sent_tokens > 0 and one.passage > 0 for one in sent)


def test_what_the_budget_cut_is_named(tmp_path: Path) -> None:
    told = explained(tmp_path, QUESTION, *NOISE, evidence_budget_tokens=64, top_k=20)
    shown = [one for one in told.chunks if one.status in ("sent", "shown")]
    cut = [one for one in told.chunks if one.status == "no_room"]
    assert shown
    assert cut
    assert told.shown.used <= 64
    assert all(told.shown.used + one.tokens > 64 or one.place < max(two.place for two in shown) for one in cut)


def test_what_stands_behind_enough_passages_is_named(tmp_path: Path) -> None:
    told = explained(tmp_path, QUESTION, *NOISE, top_k=2)
    assert [one.status for one in told.chunks[:2]] == ["sent", "sent"]
    assert {one.status for one in told.chunks[2:]} <= {"beyond", "repeats", "not_kept", "not_compared"}
    assert told.packed_chunks == 2


def test_a_quick_model_s_limits_are_told(tmp_path: Path) -> None:
    parts = offline_parts(tmp_path, [*SAMPLE_DOCUMENTS, *NOISE])
    settings = parts.settings.changed(top_k=2, evidence_budget_tokens=64, prompt_evidence_tokens=32)
    pipeline = Pipeline(replace(parts, settings=settings))
    for _ in range(4):
        pipeline._pace.learn(tokens=932, seconds=settings.prompt_evidence_seconds)
    told = explain(pipeline, QUESTION)
    assert (told.packed_chunks, told.shown.limit, told.sent.limit) == (2 + 9, 64 + 900, 932)
    assert told.shown.used > settings.evidence_budget_tokens
    assert sum(one.status in ("sent", "shown", "no_room") for one in told.chunks) == told.packed_chunks
    assert {one.status for one in told.chunks if one.place is not None} >= {"beyond"}


def test_a_copy_says_whom_it_repeats(tmp_path: Path) -> None:
    original = SAMPLE_DOCUMENTS[0]
    copy = replace(original, document_id="copy.md", path="/sample/copy.md")
    told = explained(tmp_path, QUESTION, copy)
    (first, *_) = [one for one in told.chunks if one.status == "repeats"]
    assert first.repeats is not None
    assert {first.repeats.document_id, first.seen.chunk.document_id} == {"returns.md", "copy.md"}
    assert first.repeats.text == first.seen.chunk.text


def test_a_chosen_document_that_was_not_found(tmp_path: Path) -> None:
    parts = offline_parts(tmp_path, [*SAMPLE_DOCUMENTS, *NOISE])
    pipeline = Pipeline(replace(parts, settings=parts.settings.changed(candidates=5)))
    told = explain(pipeline, "微信支付多久到账？", document_id="note7.md")
    (chosen,) = told.chosen
    assert chosen.status == "not_found"
    assert chosen.seen.meaning_rank is not None
    assert chosen.seen.words_rank is None
    (own, *_) = explain(pipeline, "微信支付多久到账？", document_id="refund.md").chosen
    assert (own.status, own.place, own.seen.meaning_rank) == ("sent", 1, 1)
    assert explain(pipeline, "微信支付多久到账？", document_id="nowhere.md").chosen == ()


def test_a_refusal_is_told_and_bad_questions_are_refused(tmp_path: Path) -> None:
    pipeline = build_offline_pipeline(tmp_path, refusal_threshold=1.0)
    told = explain(pipeline, QUESTION)
    assert not told.answerable
    assert told.threshold == 1.0
    with pytest.raises(QuestionEmpty):
        explain(pipeline, "  ")
