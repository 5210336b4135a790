"""How well citations are computed, on sentences whose support is known, and how surely planted faults are marked.

No model is asked: the evidence is what the pipeline finds for a question, the sentences are made from its gold answers
and the passages that hold these, and faults are planted (``mutations.py``) in those that were found supported.

    verbatim   the passage's sentence that holds the gold answer
    shortened  the clauses of it around the gold answer
    joined     it and its neighbour, as one sentence
    stated     the question with the gold answer in the place of its question word
    reference  the gold answer itself, where it is a whole sentence that somebody wrote
    elsewhere  a sentence of a document that is not in the evidence: nothing supports it

A citation is right where it lies in the passage's sentence (``reference``: in a relevant document) or holds the gold
answer itself.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from eval.citations.mutations import KINDS, numbers_in, plant_faults
from eval.core.knowledge import open_parts
from eval.core.progress import SILENT, Progress, question_counter
from eval.core.question_sets import QuestionSet, index_by_name
from eval.core.search import evidence_of
from eval.core.statistics import rounded
from ingest.golden import GoldenQuestion
from rag.grounding.citations import Grounding, ground
from rag.pipeline import Pipeline
from rag.schema import Citation, Evidence, Language, TextSpan
from rag.settings import Settings
from rag.text.sentences import split_sentences

SUPPORTED_KINDS = ("verbatim", "shortened", "joined", "stated", "reference")
ELSEWHERE = "elsewhere"

_CLAUSE_END = re.compile(r"(?<=[，；,;])\s*(?!\d)")
_SHORTEST: dict[Language, int] = {"en": 20, "zh": 8}  # characters: below it is a heading or a name, not a sentence
_LONGEST_ANSWER = 160
_ASKED_SUBJECT = re.compile(
    r"^(?:who|what|which [a-z]+(?: [a-z]+)?) (?!is\b|are\b|was\b|were\b|do\b|does\b|did\b|can\b|could\b|will\b|should\b"
    r"|would\b|has\b|have\b|had\b)(?P<rest>[a-z].+)\?$",
    re.IGNORECASE,
)
_ASKED_WHAT_IS = re.compile(r"^(?:who|what) (?P<verb>is|are|was|were) (?P<rest>(?!it\b)[^?]+)\?$", re.IGNORECASE)
_ASKED_IN_CHINESE = re.compile(
    r"(?:是|为)(?:什么|谁|哪里|多少|哪一年|哪个|哪些)[？?]?$|在(?:哪里|哪儿|何处)[？?]?$|有(?:哪些|什么)[？?]?$"
)

FindEvidence = Callable[[GoldenQuestion], Sequence[Evidence]]


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence's place: characters [start, end) of a document; the whole document if ``end`` is None."""

    document_id: str
    start: int = 0
    end: int | None = None

    def holds(self, citation: Citation) -> bool:
        """Tell whether a citation overlaps the place."""
        if citation.document_id != self.document_id:
            return False
        return self.end is None or citation.rests_on(self.start, self.end)


@dataclass(frozen=True, slots=True)
class KnownSentence:
    """A possible sentence of an answer, and the places of its support, if any.

    ``gold`` are strings any of which a right citation may hold instead.
    """

    question_id: str
    kind: str
    text: str
    places: tuple[Place, ...] = ()
    gold: tuple[str, ...] = ()

    def is_right(self, citation: Citation) -> bool:
        """Tell whether a citation of this sentence is right."""
        if not self.places:
            return False
        quote = _letters(citation.quote)
        return any(place.holds(citation) for place in self.places) or any(_letters(one) in quote for one in self.gold)


def known_sentences(question: GoldenQuestion, evidence: Sequence[Evidence]) -> list[KnownSentence]:
    """Return the sentences that the evidence is known to support; none where it lacks the relevant documents."""
    relevant = [passage for passage in evidence if passage.document_id in question.relevant]
    if not relevant:
        return []
    found: list[KnownSentence] = []
    holding = _find_answer(relevant, question.answers, question.language)
    if holding is not None:
        found += _passage_sentences(question, *holding)
    documents = tuple(Place(passage.document_id) for passage in relevant)
    found += [
        KnownSentence(question.question_id, "reference", answer[span.start : span.end], documents)
        for answer in question.answers[:1]
        if _is_sentence(answer, question.language) and relevant[0].language == question.language
        for span in split_sentences(answer)
        if len(answer) <= _LONGEST_ANSWER and holding is None
    ]
    return found


def foreign_sentence(
    question: GoldenQuestion, evidence: Sequence[Evidence], others: Sequence[KnownSentence], draw: random.Random
) -> KnownSentence | None:
    """Return a verbatim sentence of another question whose document is not in the evidence."""
    here = {passage.document_id for passage in evidence}
    fitting = [
        one for one in others if one.kind == "verbatim" and not any(place.document_id in here for place in one.places)
    ]
    chosen = draw.choice(fitting) if fitting else None
    return replace(chosen, question_id=question.question_id, kind=ELSEWHERE, places=(), gold=()) if chosen else None


def _find_answer(
    passages: Sequence[Evidence], answers: Sequence[str], language: Language
) -> tuple[Evidence, list[TextSpan], int] | None:
    """Return the passage, its sentences, and the place of the first one that holds an answer."""
    for passage in passages:
        if passage.language != language:
            continue
        spans = list(split_sentences(passage.text))
        for place, span in enumerate(spans):
            text = passage.text[span.start : span.end]
            if len(text) >= _SHORTEST[language] and any(
                _letters(answer) in _letters(text) for answer in answers if answer
            ):
                return passage, spans, place
    return None


def _passage_sentences(
    question: GoldenQuestion, passage: Evidence, spans: Sequence[TextSpan], place: int
) -> Iterator[KnownSentence]:
    span = spans[place]
    text = passage.text[span.start : span.end]
    own = _place_of(passage, span)
    gold = tuple(answer for answer in question.answers if answer)
    yield KnownSentence(question.question_id, "verbatim", text, (own,), gold)
    short = _answer_clauses(text, gold, question.language)
    if short:
        yield KnownSentence(question.question_id, "shortened", short, (own,), gold)
    if place + 1 < len(spans):
        after = spans[place + 1]
        following = passage.text[after.start : after.end]
        if len(following) >= _SHORTEST[question.language] and not following.startswith(("|", "#", "-", "*")):
            joined = _join(text, following, question.language)
            yield KnownSentence(question.question_id, "joined", joined, (own, _place_of(passage, after)), gold)
    stated = _as_statement(question)
    if stated:
        yield KnownSentence(question.question_id, "stated", stated, (own,), gold)


def _place_of(passage: Evidence, span: TextSpan) -> Place:
    return Place(passage.document_id, passage.start + span.start, passage.start + span.end)


def _answer_clauses(sentence: str, gold: Sequence[str], language: Language) -> str:
    """Return the clauses of a sentence that hold an answer, with the one before; empty if these are all."""
    clauses = [clause for clause in _CLAUSE_END.split(sentence) if clause]
    for index, clause in enumerate(clauses):
        if any(_letters(answer) in _letters(clause) for answer in gold):
            kept = ("" if language == "zh" else " ").join(clauses[max(index - 1, 0) : index + 1]).strip(" ,;，；")
            return kept if _SHORTEST[language] <= len(kept) < len(sentence) - 2 else ""
    return ""


def _join(first: str, second: str, language: Language) -> str:
    body = first.rstrip(" .。!！")
    return f"{body}，{second}" if language == "zh" else f"{body}, and {second[:1].lower()}{second[1:]}"


def _as_statement(question: GoldenQuestion) -> str:
    """Return the question as a statement with its first answer, where its form allows that without grammar."""
    answer = question.answers[0].strip().rstrip(".。") if question.answers else ""
    if not answer or len(answer) > _LONGEST_ANSWER // 2:
        return ""
    text = question.question.strip()
    if question.language == "zh":
        match = _ASKED_IN_CHINESE.search(text)
        return f"{text[: match.start()]}{match.group()[:1]}{answer}。" if match else ""
    if match := _ASKED_WHAT_IS.match(text):
        return f"{match['rest'][:1].upper()}{match['rest'][1:].strip()} {match['verb'].lower()} {answer}."
    if match := _ASKED_SUBJECT.match(text):
        return f"{answer[:1].upper()}{answer[1:]} {match['rest'].strip()}."
    return ""


def _is_sentence(text: str, language: Language) -> bool:
    return len(text) >= _SHORTEST[language] and bool(re.search(r"[.。!！]$", text.strip()))


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """One sentence and its grounding.  ``fault`` is empty where nothing was planted.

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
) -> list[CheckedSentence]:
    """Return all sentences of all questions.  Those whose evidence lacks the relevant documents give none."""
    found: list[tuple[GoldenQuestion, Sequence[Evidence], list[KnownSentence]]] = []
    for question in questions:
        evidence = find(question)
        found.append((question, evidence, known_sentences(question, evidence)))
        progress()
    every = [sentence for _, _, sentences in found for sentence in sentences]
    draw = random.Random(seed)
    return [
        one
        for question, evidence, sentences in found
        for one in _check_question(question, evidence, sentences, every, draw)
    ]


def figures(checked: Sequence[CheckedSentence]) -> dict[str, object]:
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


def _check_question(
    question: GoldenQuestion,
    evidence: Sequence[Evidence],
    sentences: Sequence[KnownSentence],
    every: Sequence[KnownSentence],
    draw: random.Random,
) -> Iterator[CheckedSentence]:
    if not sentences:
        return
    foreign = foreign_sentence(question, evidence, every, draw)
    around = numbers_in("\n".join(passage.text for passage in evidence))
    for sentence in (*sentences, *([foreign] if foreign else ())):
        one = _judge(sentence, "", ground(sentence.text, evidence, question.question))
        yield one
        if one.right and sentence.kind != ELSEWHERE:
            for fault in plant_faults(sentence.text, around, draw):
                wrong = KnownSentence(sentence.question_id, sentence.kind, fault.text)
                yield _judge(wrong, fault.kind, ground(fault.text, evidence, question.question))


def _judge(sentence: KnownSentence, fault: str, grounding: Grounding) -> CheckedSentence:
    return CheckedSentence(
        question_id=sentence.question_id,
        kind=sentence.kind,
        fault=fault,
        text=sentence.text,
        cited=len(grounding.citations),
        right=sum(sentence.is_right(citation) for citation in grounding.citations),
        marked=bool(grounding.unsupported),
    )


def _share(part: int, whole: int) -> float | None:
    return rounded(part / whole) if whole else None


def measure_citations(
    sets: Sequence[QuestionSet], settings: Settings, seed: int, progress: Progress = SILENT
) -> dict[str, object]:
    """Check every set and return the figures of all sentences together and, under ``by_set``, of each."""
    by_set: dict[str, list[CheckedSentence]] = {}
    for name, one in index_by_name(sets).items():
        pipeline = Pipeline(open_parts(one, settings, progress))
        advance = question_counter(progress, name, len(one.questions))
        by_set[name] = check(one.questions, partial(_evidence, pipeline), seed, partial(advance, None))
    together = [checked for found in by_set.values() for checked in found]
    return {**figures(together), "by_set": {name: figures(found) for name, found in by_set.items()}}


def _evidence(pipeline: Pipeline, question: GoldenQuestion) -> Sequence[Evidence]:
    return evidence_of(pipeline, question.question, [question.previous])
