"""Puts answers into a cache and asks for them with other questions: none of those may have one."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from eval.bench.cache.changes import changed_questions, names_in, reworded
from ingest.golden import GoldenQuestion
from rag.reuse.question_key import is_same_question, normalized_question
from rag.schema import Answer
from rag.storage.cached import CachedAnswer, CachedAnswers, CacheKey

_NAMES_OF_OTHERS = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was asked of the cache: what it was made of, and the question whose answer it had, if any."""

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

    changed: tuple[Asked, ...]
    reworded: tuple[Asked, ...]
    worded_by_others: tuple[Asked, ...]


def try_cache(questions: Sequence[GoldenQuestion], folder: Path, seed: int) -> CacheTrial:
    """Keep an answer to every question in ``folder`` and ask with changed ones, and with ones in other words.

    ``worded_by_others`` are questions whose answer is in the very same documents as that of the one before them in the
    set, in the words of whoever asked: the same question for the most part, but nobody has looked.
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
                changed.append(Asked(one.kind, text, one.question, _found(cache, one.question)))
        for kind, words in reworded(text, question.language):
            same.append(Asked(kind, text, words, _found(cache, words)))
    neighbours = [
        (one, other)
        for one, other in pairwise(asked.values())
        if one.relevant and set(one.relevant) == set(other.relevant) and one.language == other.language
    ]
    by_others = []
    for first, second in neighbours:
        found = first.question if is_same_question(first.question, second.question) else ""
        by_others.append(Asked("others", first.question, second.question, found))
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


def _share(asked: Sequence[Asked]) -> float | None:
    return sum(one.hit for one in asked) / len(asked) if asked else None


def _key(question: str) -> CacheKey:
    return CacheKey(normalized_question(question), "trial", 1)


def _found(cache: CachedAnswers, question: str) -> str:
    """Return the question whose answer is given to this one; empty where none is."""
    found = cache.get(_key(question))
    return found.answer.text if found is not None else ""


def _answer(text: str) -> Answer:
    return Answer(text, "en", False, "", (), (), (), "trial", False, 1)
