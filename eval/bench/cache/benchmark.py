"""Puts answers into a cache and asks for them with other questions: none may get one; and times the answer sources.

Times are those of each source on this machine, in the product's own pipeline with its real embedder and real files.
"""

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from eval.bench.cache.changes import changed_questions, names_in, reworded
from eval.core.search import evidence_of
from ingest.golden import GoldenQuestion
from rag.errors import OllamaUnavailable
from rag.pipeline import Pipeline, PipelineParts
from rag.queue.admission import Admission
from rag.reuse.cache import AnswerCache, AnswerSources
from rag.reuse.curated import Curation, Place
from rag.reuse.question_key import is_same_question, normalized_question
from rag.schema import Answer, Citation, Completed, Evidence
from rag.storage.cached import CachedAnswer, CachedAnswers, CacheKey
from rag.storage.curated import CuratedAnswers, NewCurated
from rag.tracing import Percentiles

_NAMES_OF_OTHERS = 200

_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class CacheProbe:
    """One question asked of the cache: the question it was made of, and the one whose answer it got, if any."""

    kind: str
    original: str
    question: str
    found: str = ""

    @property
    def hit(self) -> bool:
        """Whether it had the answer of the question that it was made of."""
        return self.found == self.original


@dataclass(frozen=True, slots=True)
class CacheTrial:
    """``changed`` must have no answer, ``reworded`` and ``worded_by_others`` might."""

    changed: tuple[CacheProbe, ...]
    reworded: tuple[CacheProbe, ...]
    worded_by_others: tuple[CacheProbe, ...]


def try_cache(questions: Sequence[GoldenQuestion], folder: Path, seed: int) -> CacheTrial:
    """Keep an answer to every question in ``folder`` and ask with changed ones, and with ones in other words.

    ``worded_by_others`` are questions whose answer is in the very same documents as that of the one before them in the
    set, in other people's words: the same question for the most part, but unchecked.
    """
    draw = random.Random(seed)
    cache = CachedAnswers(folder)
    asked = {question.question: question for question in questions}
    for text in asked:
        cache.keep(_key(text), CachedAnswer(_answer(text), (), datetime.now(UTC)), limit=len(asked))
    names = [name for question in questions for name in names_in(question.question)]
    changed, same = [], []
    for text, question in asked.items():
        others = draw.sample(names, min(len(names), _NAMES_OF_OTHERS))
        for one in changed_questions(text, draw, others):
            if one.question not in asked:
                changed.append(CacheProbe(one.kind, text, one.question, _found(cache, one.question)))
        for kind, words in reworded(text, question.language):
            same.append(CacheProbe(kind, text, words, _found(cache, words)))
    neighbours = [
        (one, other)
        for one, other in pairwise(asked.values())
        if one.relevant and set(one.relevant) == set(other.relevant) and one.language == other.language
    ]
    by_others = []
    for first, second in neighbours:
        found = first.question if is_same_question(first.question, second.question) else ""
        by_others.append(CacheProbe("others", first.question, second.question, found))
    cache.close()
    return CacheTrial(tuple(changed), tuple(same), tuple(by_others))


def figures(trial: CacheTrial) -> dict[str, object]:
    """Return the counts and shares, by kind as well; the wrong hits with their words.

    ``of_another_question`` counts changed questions that are in the set in other words, and had that one's answer.
    """
    wrong = [one for one in trial.changed if one.hit]
    return {
        "changed": len(trial.changed),
        "wrong_hits": len(wrong),
        "of_another_question": sum(bool(one.found) and not one.hit for one in trial.changed),
        "reworded": len(trial.reworded),
        "reworded_hits": _share(trial.reworded),
        "worded_by_others": len(trial.worded_by_others),
        "worded_by_others_hits": _share(trial.worded_by_others),
        "by_change": {
            kind: {"n": count, "wrong_hits": sum(one.kind == kind for one in wrong)}
            for kind, count in sorted(Counter(one.kind for one in trial.changed).items())
        },
        "by_rewording": {
            kind: {"n": count, "hits": _share([one for one in trial.reworded if one.kind == kind])}
            for kind, count in sorted(Counter(one.kind for one in trial.reworded).items())
        },
        "wrong": [{"kind": one.kind, "kept": one.original, "asked": one.question} for one in wrong],
    }


def _share(asked: Sequence[CacheProbe]) -> float | None:
    return sum(one.hit for one in asked) / len(asked) if asked else None


def _key(question: str) -> CacheKey:
    return CacheKey(normalized_question(question), "trial", 1)


def _found(cache: CachedAnswers, question: str) -> str:
    """Return the question whose answer is given to this one; empty where none is."""
    found = cache.get(_key(question))
    return found.answer.text if found is not None else ""


def _answer(text: str) -> Answer:
    return Answer(text, "en", False, "", (), (), (), "trial", False, 1)


def time_sources(parts: PipelineParts, questions: Sequence[GoldenQuestion]) -> dict[str, dict[str, float | None]]:
    """Return p50, p95 and p99 in milliseconds of a whole answer from each source without a model, and their count.

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
            evidence = evidence_of(plain, one.question)
            if evidence:
                cache.keep(one.question, None, evidence, Completed(_first_passage(evidence), 9))
            new = _written(curation, one, evidence, plain.generation)
            began_at = time.perf_counter()
            written.add(new, "serving")
            assert others.serving(form) is not None
            seen.append((time.perf_counter() - began_at) * 1000)
        ways: dict[str, Callable[[str], bool]] = {
            "curated": _answers_in(Pipeline(replace(parts, answer_sources=AnswerSources(curation))), "curated"),
            "cached": _answers_in(Pipeline(replace(parts, answer_sources=AnswerSources(nobody, cache))), "cached"),
            "quotation": _answers_in(plain, "quotation"),
        }
        times = {lane: _times([one.question for one in asked.values()], way) for lane, way in ways.items()}
        for kept in (written, others):
            kept.close()
    return {lane: asdict(Percentiles.of(values)) for lane, values in {**times, "seen_by_others": seen}.items()}


def _answers_in(pipeline: Pipeline, lane: str) -> Callable[[str], bool]:
    """Return a function that tells whether this source answered a question; none does where only the model could."""

    def answers(question: str) -> bool:
        try:
            return pipeline.answer(question, quote="only").lane == lane
        except OllamaUnavailable:
            return False

    return answers


def _without_model(parts: PipelineParts) -> PipelineParts:
    """Return the parts without a model server, and with a queue of their own."""

    def nobody() -> None:
        raise OllamaUnavailable(host="-")

    gateway = replace(parts.gateway, ensure_server=nobody, admission=Admission(slots=1, max_waiting=0))
    return replace(parts, gateway=gateway)


def _times(questions: Sequence[str], answered: Callable[[str], bool]) -> list[float]:
    """Ask each question once, after a few to warm up; return the milliseconds of those that were answered."""
    for question in questions[:_WARM_UP]:
        answered(question)
    times = []
    for question in questions:
        began_at = time.perf_counter()
        if answered(question):
            times.append((time.perf_counter() - began_at) * 1000)
    return times


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


def _first_passage(evidence: Sequence[Evidence]) -> Answer:
    """Return an answer that consists of the first passage's words, supported by them."""
    first = evidence[0]
    citation = Citation(0, len(first.text), first.document_id, first.document_path, first.text, first.start, first.end)
    return Answer(first.text, first.language, False, "", (citation,), (), (), "trial", False, 1)
