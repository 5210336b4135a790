"""How long each lane takes on this machine, in the product's own pipeline with its real embedder and real files."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ingest.golden import GoldenQuestion
from rag.errors import OllamaUnavailable
from rag.pipeline import Pipeline, PipelineParts
from rag.queue.admission import Admission
from rag.reuse.cache import AnswerCache, AnswerSources
from rag.reuse.curated import Curation, Place
from rag.reuse.question_key import normalized_question
from rag.schema import Answer, Citation, Completed, Evidence, Retrieved
from rag.storage.cached import CachedAnswers
from rag.storage.curated import CuratedAnswers, NewCurated
from rag.tracing import Percentiles

_WARM_UP = 5


def time_lanes(parts: PipelineParts, questions: Sequence[GoldenQuestion]) -> dict[str, dict[str, float | None]]:
    """Return p50, p95 and p99 in milliseconds of a whole answer in each lane that needs no model, and their count.

    An answer to each question is kept, as a person's and as the model's, in a folder that is deleted afterwards.
    ``quotation`` counts the questions of which something can be quoted; ``seen_by_others`` is the time from keeping a
    person's answer until another connection to the file has it.
    """
    parts = _without_model(parts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written, others = CuratedAnswers(folder), CuratedAnswers(folder)
        curation = Curation(parts.store, written)
        cache = AnswerCache(parts.store, CachedAnswers(folder), parts.settings)
        nobody = Curation(parts.store, CuratedAnswers(folder / "nobody"))
        plain = Pipeline(parts)
        asked = {normalized_question(one.question): one for one in questions}
        seen = []
        for form, one in asked.items():
            evidence = _evidence(plain, one.question)
            if evidence:
                cache.keep(one.question, None, evidence, Completed(_answer(evidence), 9))
            new = _written(curation, one, evidence, plain.generation)
            began_at = time.perf_counter()
            written.add(new, "serving")
            assert others.serving(form) is not None
            seen.append((time.perf_counter() - began_at) * 1000)
        ways: dict[str, Callable[[str], bool]] = {
            "curated": _answers_in(Pipeline(replace(parts, lanes=AnswerSources(curation))), "curated"),
            "cached": _answers_in(Pipeline(replace(parts, lanes=AnswerSources(nobody, cache))), "cached"),
            "quotation": _answers_in(plain, "quotation"),
        }
        times = {lane: _times([one.question for one in asked.values()], way) for lane, way in ways.items()}
        for kept in (written, others):
            kept.close()
    return {lane: asdict(Percentiles.of(values)) for lane, values in {**times, "seen_by_others": seen}.items()}


def _answers_in(pipeline: Pipeline, lane: str) -> Callable[[str], bool]:
    """Return what answers a question and tells whether this lane did; where only the model could, none does."""

    def answers(question: str) -> bool:
        try:
            return pipeline.answer(question, quote="only").lane == lane
        except OllamaUnavailable:
            return False

    return answers


def _without_model(parts: PipelineParts) -> PipelineParts:
    """Return the parts with nobody to ask, and a line of their own before nobody."""

    def nobody() -> None:
        raise OllamaUnavailable(host="-")

    gateway = replace(parts.gateway, ensure_server=nobody, admission=Admission(slots=1, max_waiting=0))
    return replace(parts, gateway=gateway)


def _times(questions: Sequence[str], answered: Callable[[str], bool]) -> list[float]:
    """Ask each question once, after a few that nobody times; return the milliseconds of those that were answered."""
    for question in questions[:_WARM_UP]:
        answered(question)
    times = []
    for question in questions:
        began_at = time.perf_counter()
        if answered(question):
            times.append((time.perf_counter() - began_at) * 1000)
    return times


def _evidence(pipeline: Pipeline, question: str) -> tuple[Evidence, ...]:
    """Return what is found, before any model is asked."""
    first = next(iter(pipeline.stream(question)))
    assert isinstance(first, Retrieved)
    return first.evidence


def _written(curation: Curation, asked: GoldenQuestion, evidence: Sequence[Evidence], generation: int) -> NewCurated:
    return NewCurated(
        form=normalized_question(asked.question),
        question=asked.question,
        language=asked.language,
        answer=" ".join(asked.answers) or asked.question,
        author="trial",
        generation=generation,
        sources=tuple(curation.source_of(Place(one.document_id, one.start, one.end)) for one in evidence[:2]),
    )


def _answer(evidence: Sequence[Evidence]) -> Answer:
    """Return an answer that consists of the first passage's words, supported by them."""
    first = evidence[0]
    citation = Citation(0, len(first.text), first.document_id, first.document_path, first.text, first.start, first.end)
    return Answer(first.text, first.language, False, "", (citation,), (), (), "trial", False, 1)
