"""Answers that rest on articles which contradict each other, or which had expired: as far as both still stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from rag.evidence.packing import expired_on
from rag.schema import Conflict, Document
from rag.storage.store import KnowledgeStore
from rag.storage.troubled_turns import DoubtfulTurn

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two articles that say the same but for a figure, a date or a "not"; the one that rather holds is first.

    ``count`` answers rested on either; ``questions`` are some of theirs, the newest first.
    """

    document_id: str
    title: str
    quote: str
    other_document_id: str
    other_title: str
    other_quote: str
    count: int
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expired:
    """An article whose last day is past; ``count`` answers rested on it all the same."""

    document_id: str
    title: str
    expired_on: date
    count: int
    questions: tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    count: int = 0
    questions: list[str] = field(default_factory=list)

    def add(self, question: str) -> None:
        self.count += 1
        if question not in self.questions and len(self.questions) < _EXAMPLES:
            self.questions.append(question)


class _Articles:
    """The articles of a generation, each read once; None for one that is gone."""

    def __init__(self, store: KnowledgeStore, generation: int) -> None:
        self._store, self._generation = store, generation
        self._read: dict[str, Document | None] = {}

    def get(self, document_id: str) -> Document | None:
        if document_id not in self._read:
            try:
                self._read[document_id] = self._store.document(document_id, self._generation)
            except KeyError:
                self._read[document_id] = None
        return self._read[document_id]


def contradictions(turns: Sequence[DoubtfulTurn], store: KnowledgeStore, generation: int) -> tuple[Contradiction, ...]:
    """Return the contradictions that answers rested on and that are still there, the most frequent first."""
    articles = _Articles(store, generation)
    seen: dict[tuple[str, str, str, str], _Seen] = {}
    for turn in turns:
        for pair in dict.fromkeys(_pair(conflict) for conflict in _relied_on(turn)):
            seen.setdefault(pair, _Seen()).add(turn.question.strip())
    found = []
    for (document_id, quote, other_id, other_quote), times in seen.items():
        one, other = articles.get(document_id), articles.get(other_id)
        if one is not None and other is not None and quote in one.text and other_quote in other.text:
            titles = one.title or document_id, other.title or other_id
            shown = document_id, titles[0], quote, other_id, titles[1], other_quote
            found.append(Contradiction(*shown, times.count, tuple(times.questions)))
    return tuple(sorted(found, key=lambda one: (-one.count, one.document_id, one.quote)))


def expired_articles(
    turns: Sequence[DoubtfulTurn], store: KnowledgeStore, generation: int, today: date
) -> tuple[Expired, ...]:
    """Return the articles that answers rested on after their last day, and that are still as they were."""
    articles = _Articles(store, generation)
    seen: dict[str, _Seen] = {}
    for turn in turns:
        cited = _cited(turn)
        for document_id in dict.fromkeys(one.document_id for one in turn.evidence if one.expired_on is not None):
            if document_id in cited:
                seen.setdefault(document_id, _Seen()).add(turn.question.strip())
    found = []
    for document_id, times in seen.items():
        article = articles.get(document_id)
        last_day = expired_on(article, today) if article is not None else None
        if article is not None and last_day is not None:
            title = article.title or document_id
            found.append(Expired(document_id, title, last_day, times.count, tuple(times.questions)))
    return tuple(sorted(found, key=lambda one: (-one.count, one.document_id)))


def _relied_on(turn: DoubtfulTurn) -> Iterator[Conflict]:
    cited = _cited(turn)
    for conflict in turn.answer.conflicts:
        if conflict.document_id in cited or conflict.other_document_id in cited:
            yield conflict


def _cited(turn: DoubtfulTurn) -> set[str]:
    return {citation.document_id for citation in turn.answer.citations}


def _pair(conflict: Conflict) -> tuple[str, str, str, str]:
    return conflict.document_id, conflict.quote, conflict.other_document_id, conflict.other_quote
