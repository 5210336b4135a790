"""Sentences whose support is known, made from questions, their gold answers and the passages that hold these.

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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.golden import GoldenQuestion
from rag.schema import Citation, Evidence, Language, TextSpan
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sentence stands: characters [start, end) of a document; the whole document where ``end`` is None."""

    document_id: str
    start: int = 0
    end: int | None = None

    def holds(self, citation: Citation) -> bool:
        """Tell whether a citation lies in the place, at least in part."""
        if citation.document_id != self.document_id:
            return False
        return self.end is None or (citation.quote_start < self.end and citation.quote_end > self.start)


@dataclass(frozen=True, slots=True)
class KnownSentence:
    """A sentence as an answer may have it, and where its support is: no ``places`` where there is none.

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
        quote = _bare(citation.quote)
        return any(place.holds(citation) for place in self.places) or any(_bare(one) in quote for one in self.gold)


def known_sentences(question: GoldenQuestion, evidence: Sequence[Evidence]) -> list[KnownSentence]:
    """Return the sentences that the evidence is known to support; none where it lacks the relevant documents."""
    relevant = [passage for passage in evidence if passage.document_id in question.relevant]
    if not relevant:
        return []
    found: list[KnownSentence] = []
    holding = _holding(relevant, question.answers, question.language)
    if holding is not None:
        found += _from_passage(question, *holding)
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


def _holding(
    passages: Sequence[Evidence], answers: Sequence[str], language: Language
) -> tuple[Evidence, list[TextSpan], int] | None:
    """Return the passage, its sentences, and the place of the first one that holds an answer."""
    for passage in passages:
        if passage.language != language:
            continue
        spans = list(split_sentences(passage.text))
        for place, span in enumerate(spans):
            text = passage.text[span.start : span.end]
            if len(text) >= _SHORTEST[language] and any(_bare(answer) in _bare(text) for answer in answers if answer):
                return passage, spans, place
    return None


def _from_passage(
    question: GoldenQuestion, passage: Evidence, spans: Sequence[TextSpan], place: int
) -> Iterator[KnownSentence]:
    span = spans[place]
    text = passage.text[span.start : span.end]
    own = _placed(passage, span)
    gold = tuple(answer for answer in question.answers if answer)
    yield KnownSentence(question.question_id, "verbatim", text, (own,), gold)
    short = _around(text, gold, question.language)
    if short:
        yield KnownSentence(question.question_id, "shortened", short, (own,), gold)
    if place + 1 < len(spans):
        after = spans[place + 1]
        following = passage.text[after.start : after.end]
        if len(following) >= _SHORTEST[question.language] and not following.startswith(("|", "#", "-", "*")):
            joined = _joined(text, following, question.language)
            yield KnownSentence(question.question_id, "joined", joined, (own, _placed(passage, after)), gold)
    stated = _stated(question)
    if stated:
        yield KnownSentence(question.question_id, "stated", stated, (own,), gold)


def _placed(passage: Evidence, span: TextSpan) -> Place:
    return Place(passage.document_id, passage.start + span.start, passage.start + span.end)


def _around(sentence: str, gold: Sequence[str], language: Language) -> str:
    """Return the clauses of a sentence that hold an answer, with the one before; empty where that is all of it."""
    clauses = [clause for clause in _CLAUSE_END.split(sentence) if clause]
    for index, clause in enumerate(clauses):
        if any(_bare(answer) in _bare(clause) for answer in gold):
            kept = ("" if language == "zh" else " ").join(clauses[max(index - 1, 0) : index + 1]).strip(" ,;，；")
            return kept if _SHORTEST[language] <= len(kept) < len(sentence) - 2 else ""
    return ""


def _joined(first: str, second: str, language: Language) -> str:
    body = first.rstrip(" .。!！")
    return f"{body}，{second}" if language == "zh" else f"{body}, and {second[:1].lower()}{second[1:]}"


def _stated(question: GoldenQuestion) -> str:
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


def _bare(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
