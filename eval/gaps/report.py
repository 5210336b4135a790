"""The knowledge-gap report of one knowledge base: topics that are missing, and articles that contradict or expired.

    report = find_gaps(parts, "shop", since)
    report.topics[0].titles, report.topics[0].count, report.topics[0].nearest

No model is asked; the same turns and the same generation give the same report.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime

from eval.core.dataset import GOLDEN_DIR
from eval.gaps.stale_answers import Contradiction, Expired, contradictions, expired_articles
from eval.gaps.topics import centred, embed_questions, grouped, most_central
from ingest.golden import load_questions
from rag.pipeline import Retrieves
from rag.protocols import Embedder, FloatMatrix
from rag.reuse.curated import Curation
from rag.reuse.question_key import normalized_question
from rag.schema import Language
from rag.storage.store import KnowledgeStore
from rag.storage.troubled_turns import Trouble, TroubledTurns, UnmetQuestion
from rag.tracing import Trace

MOST_QUESTIONS = 2000
"""Different questions that are grouped, the newest ones: their likeness to each other grows with the square."""

_TRIED = 5
_SAMPLES = 60
"""Sample questions of each language that tell what all of its questions share; see ``topics.py``."""


@dataclass(frozen=True, slots=True)
class GapParts:
    """What a report is made from.  ``today`` tells which rules have expired."""

    store: KnowledgeStore
    turns: TroubledTurns
    embedder: Embedder
    retriever: Retrieves
    curation: Curation
    today: Callable[[], date] = date.today


@dataclass(frozen=True, slots=True)
class GapQuestion:
    """A question as it was asked last, how often it went badly and how; ``turn_id`` is the newest turn's."""

    text: str
    language: Language
    count: int
    troubles: Mapping[Trouble, int]
    turn_id: str
    last_asked_at: datetime


@dataclass(frozen=True, slots=True)
class NearestArticle:
    """The article that retrieval puts first for a topic's most central question."""

    document_id: str
    title: str
    language: Language


@dataclass(frozen=True, slots=True)
class Topic:
    """Questions about one thing, the most central first; ``titles`` is the most central one of each language.

    ``answered_now`` of the ``tried`` most central ones would not be refused by the present generation.
    """

    number: int
    titles: Mapping[Language, str]
    questions: tuple[GapQuestion, ...]
    nearest: NearestArticle | None = None
    tried: int = 0
    answered_now: int = 0

    @property
    def count(self) -> int:
        """How often one of the questions was asked."""
        return sum(question.count for question in self.questions)

    @property
    def troubles(self) -> dict[Trouble, int]:
        """How often which trouble occurred."""
        return dict(sum((Counter(dict(question.troubles)) for question in self.questions), Counter()))

    @property
    def languages(self) -> dict[Language, int]:
        """How often a question was asked in which language."""
        counts = Counter[Language]()
        for question in self.questions:
            counts[question.language] += question.count
        return dict(counts)

    def title(self, language: Language) -> str:
        """Return the title in a language, or the one that there is."""
        return self.titles.get(language) or next(iter(self.titles.values()))


@dataclass(frozen=True, slots=True)
class GapReport:
    """What is missing in ``generation``.  Counts are of questions that were asked at ``since`` or later.

    ``settled`` went badly and are answered by a person's answer now; ``failed_elsewhere`` failed because the model
    server was away, and say nothing here; ``left_out`` different questions were too old to be grouped.
    """

    knowledge_base: str
    generation: int
    since: datetime | None
    asked: int
    settled: int
    failed_elsewhere: int
    left_out: int = 0
    topics: tuple[Topic, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    expired: tuple[Expired, ...] = ()

    @property
    def unmet(self) -> int:
        """How many questions went badly and are in a topic."""
        return sum(topic.count for topic in self.topics)

    def to_json(self) -> dict[str, object]:
        """Return plain values, ready for ``json.dumps``."""
        topics = [
            {
                **asdict(replace(topic, questions=())),
                "count": topic.count,
                "troubles": topic.troubles,
                "languages": topic.languages,
                "questions": [
                    asdict(one) | {"last_asked_at": one.last_asked_at.isoformat()} for one in topic.questions
                ],
            }
            for topic in self.topics
        ]
        return {
            **asdict(replace(self, topics=(), contradictions=(), expired=())),
            "since": self.since.isoformat() if self.since is not None else None,
            "unmet": self.unmet,
            "topics": topics,
            "contradictions": [asdict(one) for one in self.contradictions],
            "expired": [asdict(one) | {"expired_on": one.expired_on.isoformat()} for one in self.expired],
        }


@dataclass(slots=True)
class _Tally:
    """One question as it is counted, the newest asking first."""

    newest: UnmetQuestion
    troubles: Counter[Trouble] = field(default_factory=Counter)

    def question(self) -> GapQuestion:
        newest = self.newest
        return GapQuestion(
            text=newest.question.strip(),
            language=newest.language,
            count=self.troubles.total(),
            troubles=dict(self.troubles),
            turn_id=newest.turn_id,
            last_asked_at=newest.asked_at,
        )


def find_gaps(
    parts: GapParts,
    knowledge_base: str,
    since: datetime | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GapReport:
    """Return the report; ``progress`` is told how many topics of how many were looked at.

    Raises a ``KnowledgeError`` where the knowledge base is missing or does not fit the embedder.
    """
    generation = parts.store.require_generation()
    counts = parts.turns.counts(knowledge_base, since)
    answered = {one.kept.form for one in parts.curation.all("serving")}
    tallies, settled = _tallied(parts.turns.unmet(knowledge_base, since), answered)
    kept = tallies[:MOST_QUESTIONS]
    topics = _topics([tally.question() for tally in kept], parts.embedder)
    found: list[Topic] = []
    for topic in topics:
        progress(len(found), len(topics))
        found.append(_looked_up(topic, parts))
    doubtful = parts.turns.doubtful(knowledge_base, since)
    return GapReport(
        knowledge_base=knowledge_base,
        generation=generation,
        since=since,
        asked=counts.asked,
        settled=settled,
        failed_elsewhere=counts.failed_elsewhere,
        left_out=len(tallies) - len(kept),
        topics=tuple(found),
        contradictions=contradictions(doubtful, parts.store, generation),
        expired=expired_articles(doubtful, parts.store, generation, parts.today()),
    )


def _tallied(unmet: Sequence[UnmetQuestion], answered: set[str]) -> tuple[list[_Tally], int]:
    """Count the same question once, whatever its courtesy; return also how many are answered by a person by now."""
    tallies: dict[str, _Tally] = {}
    settled = 0
    for one in unmet:
        form = normalized_question(one.question)
        if form in answered:
            settled += 1
        else:
            tallies.setdefault(form, _Tally(one)).troubles[one.trouble] += 1
    return list(tallies.values()), settled


def _topics(questions: Sequence[GapQuestion], embedder: Embedder) -> list[Topic]:
    """Group the questions; the topic that was asked for most often comes first, then the latest."""
    ordered = sorted(questions, key=lambda one: (one.language, one.text))  # whatever order they were asked in
    languages = [one.language for one in ordered]
    samples = {language: sample_vectors(embedder, language) for language in set(languages)}
    vectors = centred(embed_questions(embedder, [one.text for one in ordered]), languages, samples)
    topics = [_topic([ordered[row] for row in most_central(vectors, rows)]) for rows in grouped(vectors)]
    topics.sort(key=lambda topic: (-topic.count, -_latest(topic).timestamp(), topic.questions[0].text))
    return [replace(topic, number=number) for number, topic in enumerate(topics, start=1)]


def _topic(questions: Sequence[GapQuestion]) -> Topic:
    titles: dict[Language, str] = {}
    for question in questions:
        titles.setdefault(question.language, question.text)
    return Topic(0, titles, tuple(questions))


def _latest(topic: Topic) -> datetime:
    return max(question.last_asked_at for question in topic.questions)


def sample_vectors(embedder: Embedder, language: Language) -> FloatMatrix:
    """Return the vectors of sample questions in a language, float32 [n, dimension]."""
    texts = [one.question for one in load_questions(GOLDEN_DIR) if one.language == language]
    return embed_questions(embedder, texts[:_SAMPLES])


def _looked_up(topic: Topic, parts: GapParts) -> Topic:
    """Ask retrieval what there is: the article that is nearest, and how many questions would not be refused today."""
    retrieved = [
        parts.retriever.retrieve(question.text, question.language, Trace()) for question in topic.questions[:_TRIED]
    ]
    first = retrieved[0].chunks[:1]
    nearest = [NearestArticle(one.chunk.document_id, one.chunk.title, one.chunk.language) for one in first]
    return replace(
        topic,
        nearest=nearest[0] if nearest else None,
        tried=len(retrieved),
        answered_now=sum(one.answerable for one in retrieved),
    )
