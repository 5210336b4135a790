"""How well citations are computed, on sentences whose support is known, and how surely planted faults are marked.

No model is asked: the evidence is what the pipeline finds for a question, the sentences are made from its gold answers
(``known_sentences.py``), and the faults are planted in those of them that were found supported (``mutations.py``).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from eval.citations.known_sentences import ELSEWHERE, SUPPORTED_KINDS, KnownSentence, foreign_sentence, known_sentences
from eval.citations.mutations import KINDS, numbers_in, planted
from eval.core.knowledge import open_parts
from eval.core.progress import SILENT, Progress, counted
from eval.core.question_sets import QuestionSet, by_name
from ingest.golden import GoldenQuestion
from rag.grounding.citations import Grounding, ground
from rag.pipeline import Pipeline
from rag.schema import Evidence, Retrieved
from rag.settings import Settings

FindEvidence = Callable[[GoldenQuestion], Sequence[Evidence]]


@dataclass(frozen=True, slots=True)
class Checked:
    """One sentence and what was made of it.  ``fault`` is empty where nothing was planted.

    ``right`` and ``cited`` count its citations; ``marked`` tells whether it is said to be unsupported.
    """

    question_id: str
    kind: str
    fault: str
    text: str
    cited: int
    right: int
    marked: bool


def check(
    questions: Sequence[GoldenQuestion],
    find: FindEvidence,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> list[Checked]:
    """Return all sentences of all questions.  Those whose evidence lacks the relevant documents give none."""
    found: list[tuple[GoldenQuestion, Sequence[Evidence], list[KnownSentence]]] = []
    for question in questions:
        evidence = find(question)
        found.append((question, evidence, known_sentences(question, evidence)))
        progress()
    every = [sentence for _, _, sentences in found for sentence in sentences]
    draw = random.Random(seed)
    return [
        one for question, evidence, sentences in found for one in _checked(question, evidence, sentences, every, draw)
    ]


def figures(checked: Sequence[Checked]) -> dict[str, object]:
    """Return precision, recall and the share of faults marked, in [0, 1], as well by kind; None without a sample."""
    supported = [one for one in checked if one.kind in SUPPORTED_KINDS and not one.fault]
    foreign = [one for one in checked if one.kind == ELSEWHERE]
    faults = [one for one in checked if one.fault]
    cited = sum(one.cited for one in (*supported, *foreign))
    return {
        "n": len(supported) + len(foreign),
        "citation_precision": _share(sum(one.right for one in supported), cited),
        "citation_recall": _share(sum(one.right > 0 for one in supported), len(supported)),
        "faults": len(faults),
        "faults_marked": _share(sum(one.marked for one in faults), len(faults)),
        "by_kind": {
            kind: {
                "n": sum(one.kind == kind and not one.fault for one in checked),
                "recall": _share(
                    sum(one.right > 0 for one in supported if one.kind == kind),
                    sum(one.kind == kind for one in supported),
                ),
            }
            for kind in SUPPORTED_KINDS
        }
        | {ELSEWHERE: {"n": len(foreign), "marked": _share(sum(one.marked for one in foreign), len(foreign))}},
        "by_fault": {
            fault: {
                "n": sum(one.fault == fault for one in faults),
                "marked": _share(
                    sum(one.marked for one in faults if one.fault == fault), sum(one.fault == fault for one in faults)
                ),
            }
            for fault in KINDS
        },
    }


def _checked(
    question: GoldenQuestion,
    evidence: Sequence[Evidence],
    sentences: Sequence[KnownSentence],
    every: Sequence[KnownSentence],
    draw: random.Random,
) -> Iterator[Checked]:
    if not sentences:
        return
    foreign = foreign_sentence(question, evidence, every, draw)
    around = numbers_in("\n".join(passage.text for passage in evidence))
    for sentence in (*sentences, *([foreign] if foreign else ())):
        one = _judged(sentence, "", ground(sentence.text, evidence, question.question))
        yield one
        if one.right and sentence.kind != ELSEWHERE:
            for fault in planted(sentence.text, around, draw):
                wrong = KnownSentence(sentence.question_id, sentence.kind, fault.text)
                yield _judged(wrong, fault.kind, ground(fault.text, evidence, question.question))


def _judged(sentence: KnownSentence, fault: str, grounding: Grounding) -> Checked:
    return Checked(
        question_id=sentence.question_id,
        kind=sentence.kind,
        fault=fault,
        text=sentence.text,
        cited=len(grounding.citations),
        right=sum(sentence.is_right(citation) for citation in grounding.citations),
        marked=bool(grounding.unsupported),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def measure_citations(
    sets: Sequence[QuestionSet], settings: Settings, seed: int, progress: Progress = SILENT
) -> dict[str, object]:
    """Check every set and return the figures of all sentences together and, under ``by_set``, of each."""
    by_set: dict[str, list[Checked]] = {}
    for name, one in by_name(sets).items():
        pipeline = Pipeline(open_parts(one, settings, progress))
        advance = counted(progress, name, len(one.questions))
        by_set[name] = check(one.questions, partial(_evidence, pipeline), seed, partial(advance, None))
    together = [checked for found in by_set.values() for checked in found]
    return {**figures(together), "by_set": {name: figures(found) for name, found in by_set.items()}}


def _evidence(pipeline: Pipeline, question: GoldenQuestion) -> Sequence[Evidence]:
    """Return what the pipeline finds, before any model is asked."""
    first = next(iter(pipeline.stream(question.question, earlier=[question.previous] if question.previous else [])))
    assert isinstance(first, Retrieved)
    return first.evidence
