"""The shipped fakes, as another program would use them."""

from pathlib import Path

import numpy as np
import pytest

from rag.protocols import GeneratedText, Message
from rag.schema import Retrieved
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, ScriptedGenerator, build_offline_pipeline


@pytest.mark.slow
def test_an_offline_answer_quotes_the_right_document_with_exact_offsets(tmp_path: Path) -> None:
    pipeline = build_offline_pipeline(tmp_path)
    texts = {document.document_id: document.text for document in SAMPLE_DOCUMENTS}
    for question, document_id in (
        ("Within how many days of delivery can I send back an item?", "returns.md"),
        ("信用卡退款几个工作日到账？", "refund.md"),
    ):
        answer = pipeline.answer(question)
        assert [citation.document_id for citation in answer.citations][:1] == [document_id]
        for citation in answer.citations:
            assert texts[document_id][citation.quote_start : citation.quote_end] == citation.quote
        assert (answer.model, answer.stand_in, answer.generation) == ("scripted", True, 1)


@pytest.mark.slow
def test_it_can_refuse_everything(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    pipeline = build_offline_pipeline(tmp_path, refusal_threshold=1.0, generator=generator)
    assert pipeline.answer("How long can I send back an item?").refused
    assert generator.calls == []


@pytest.mark.slow
def test_a_script_decides_what_is_said(tmp_path: Path) -> None:
    generator = ScriptedGenerator(
        lambda messages: [GeneratedText("You can send it back within 30 days of delivery. It costs EUR 99.")]
    )
    answer = build_offline_pipeline(tmp_path, generator=generator).answer("How many days for a return?")
    assert [answer.text[span.start : span.end] for span in answer.unsupported] == ["It costs EUR 99."]


@pytest.mark.slow
def test_paragraphs_are_exact_chunks(tmp_path: Path) -> None:
    first = next(build_offline_pipeline(tmp_path).stream("How much is the return label from EU countries?"))
    assert isinstance(first, Retrieved)
    texts = {document.document_id: document.text for document in SAMPLE_DOCUMENTS}
    assert all(texts[p.document_id][p.start : p.end] == p.text for p in first.evidence)


def test_the_embedder_is_deterministic_and_of_unit_length() -> None:
    embedder = HashEmbedder(16)
    vectors = embedder.embed_passages(["refund in 7 days", "", "退款"]).vectors
    assert vectors.shape == (3, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert np.array_equal(vectors[:1], embedder.embed_queries(["refund in 7 days"]).vectors)


def test_a_word_is_a_token_with_the_same_signs_in_question_and_passage() -> None:
    embedder = HashEmbedder(16)
    (asked,) = embedder.embed_queries(["Refund 退款"]).tokens
    (found,) = embedder.embed_passages(["7 days, refund"]).tokens
    assert asked.numbers[0] == found.numbers[2]
    assert np.array_equal(np.packbits(asked.vectors > 0, axis=1)[0], found.signs[2])
    assert [(len(one.numbers), one.signs.shape) for one in embedder.embed_passages(["", "退"]).tokens] == [
        (0, (0, 2)),
        (1, (1, 2)),
    ]
    assert ["7 days, Refund"[start:end] for start, end in embedder.token_spans("7 days, Refund")] == [
        "7",
        "days",
        "Refund",
    ]


def test_the_default_script_quotes_the_first_passage() -> None:
    parts = ScriptedGenerator().generate(
        [Message("user", "Documents:\n[1] Title\n30 days.\n(end of documents)")], think=False, max_tokens=9
    )
    assert next(iter(parts)) == GeneratedText("30 days.")
