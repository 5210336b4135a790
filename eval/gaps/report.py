"""The knowledge-gap report of one knowledge base: topics that are missing, and articles that contradict or expired.

    report = find_gaps(parts, "shop", since)
    report.topics[0].titles, report.topics[0].count, report.topics[0].nearest

No model is asked; the same turns and the same generation give the same report.

Questions are grouped by what they are about, in both languages at once.  The embedder's vectors are compared after the
mean of their language is subtracted: it is what all questions of a language share, and without that two Chinese
questions about anything are nearer than one question in two languages.  The mean is over some sample questions and the
ones at hand: a few of these, which may all be about one thing, hardly move it; many take away what the questions of a
whole product share.

Groups are merged while the mean cosine between their questions is high enough (average linkage): no number of topics
has to be guessed, one odd question does not chain topics together, and the same questions always give the same topics.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from functools import cache

import numpy as np

from eval.core.question_sets import GOLDEN_DIR
from ingest.golden import load_questions
from rag.evidence.packing import expired_on
from rag.pipeline import Retrieves
from rag.protocols import Embedder, FloatMatrix
from rag.reuse.curated import Curation
from rag.reuse.question_key import normalized_question
from rag.schema import Conflict, Document, Language
from rag.storage.store import KnowledgeStore
from rag.storage.troubled_turns import DoubtfulTurn, Trouble, TroubledTurns, UnmetQuestion
from rag.tracing import Trace
from rag.translate import translate

_EXAMPLES = 5

MOST_QUESTIONS = 2000
"""Different questions that are grouped, the newest ones: their likeness to each other grows with the square."""

_TRIED = 5

_SAMPLES = 60
"""Sample questions of each language that show what all of its questions share; see ``centred``."""

LEAST_SIMILARITY = 0.35
"""Mean cosine of centred vectors from which on two groups are one topic: the best of 0.15 to 0.5 on the mean of three
labelled sets, of which one is in both languages (docs/measurements.md)."""

_BATCH = 32

_LONGEST_QUESTION_CHARACTERS = 200
_LONGEST_TITLE_CHARACTERS = 80
_MOST_QUESTIONS = 20


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two articles that differ only in a figure, a date or a "not"; the more trustworthy one is first.

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


def _reader(store: KnowledgeStore, generation: int) -> Callable[[str], Document | None]:
    """Return a cached reader of a generation's articles; it gives None for one that is gone."""

    @cache
    def read(document_id: str) -> Document | None:
        try:
            return store.document(document_id, generation)
        except KeyError:
            return None

    return read


def contradictions(turns: Sequence[DoubtfulTurn], store: KnowledgeStore, generation: int) -> tuple[Contradiction, ...]:
    """Return the contradictions that answers rested on and that are still there, the most frequent first."""
    article_of = _reader(store, generation)
    seen: dict[tuple[str, str, str, str], _Seen] = {}
    for turn in turns:
        for pair in dict.fromkeys(_pair(conflict) for conflict in _used_conflicts(turn)):
            seen.setdefault(pair, _Seen()).add(turn.question.strip())
    found = []
    for (document_id, quote, other_id, other_quote), times in seen.items():
        one, other = article_of(document_id), article_of(other_id)
        if one is not None and other is not None and quote in one.text and other_quote in other.text:
            titles = one.title or document_id, other.title or other_id
            shown = document_id, titles[0], quote, other_id, titles[1], other_quote
            found.append(Contradiction(*shown, times.count, tuple(times.questions)))
    return tuple(sorted(found, key=lambda one: (-one.count, one.document_id, one.quote)))


def expired_articles(
    turns: Sequence[DoubtfulTurn], store: KnowledgeStore, generation: int, today: date
) -> tuple[Expired, ...]:
    """Return the articles that answers rested on after their last day, and that are still as they were."""
    article_of = _reader(store, generation)
    seen: dict[str, _Seen] = {}
    for turn in turns:
        cited = _cited_documents(turn)
        for document_id in dict.fromkeys(one.document_id for one in turn.evidence if one.expired_on is not None):
            if document_id in cited:
                seen.setdefault(document_id, _Seen()).add(turn.question.strip())
    found = []
    for document_id, times in seen.items():
        article = article_of(document_id)
        last_day = expired_on(article, today) if article is not None else None
        if article is not None and last_day is not None:
            title = article.title or document_id
            found.append(Expired(document_id, title, last_day, times.count, tuple(times.questions)))
    return tuple(sorted(found, key=lambda one: (-one.count, one.document_id)))


def _used_conflicts(turn: DoubtfulTurn) -> Iterator[Conflict]:
    cited = _cited_documents(turn)
    for conflict in turn.answer.conflicts:
        if conflict.document_id in cited or conflict.other_document_id in cited:
            yield conflict


def _cited_documents(turn: DoubtfulTurn) -> set[str]:
    return {citation.document_id for citation in turn.answer.citations}


def _pair(conflict: Conflict) -> tuple[str, str, str, str]:
    return conflict.document_id, conflict.quote, conflict.other_document_id, conflict.other_quote


@dataclass(frozen=True, slots=True)
class GapParts:
    """The parts of a report.  ``today`` decides which rules have expired."""

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
        """The counts of troubles."""
        return dict(sum((Counter(dict(question.troubles)) for question in self.questions), Counter()))

    def troubles_words(self, language: Language) -> str:
        """Return the counts of troubles in words."""
        return ", ".join(translate(f"eval_gaps.{name}_count", language, n=n) for name, n in self.troubles.items())

    @property
    def languages(self) -> dict[Language, int]:
        """The counts of askings by language."""
        counts = Counter[Language]()
        for question in self.questions:
            counts[question.language] += question.count
        return dict(counts)

    def title(self, language: Language) -> str:
        """Return the title in a language, or the one that there is."""
        return self.titles.get(language) or next(iter(self.titles.values()))


@dataclass(frozen=True, slots=True)
class GapReport:
    """The gaps of ``generation``.  Counts are of questions that were asked at ``since`` or later.

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
        """The number of failed questions in topics."""
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
    """Return the report; ``progress`` takes the topics looked up so far, and the topics in all.

    Raises a ``KnowledgeError`` where the knowledge base is missing or does not fit the embedder.
    """
    generation = parts.store.require_generation()
    counts = parts.turns.counts(knowledge_base, since)
    answered = {one.kept.form for one in parts.curation.all("serving")}
    tallies, settled = _tally(parts.turns.unmet(knowledge_base, since), answered)
    kept = tallies[:MOST_QUESTIONS]
    topics = _topics([tally.question() for tally in kept], parts.embedder)
    found: list[Topic] = []
    for topic in topics:
        progress(len(found), len(topics))
        found.append(_look_up(topic, parts))
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


def _tally(unmet: Sequence[UnmetQuestion], answered: set[str]) -> tuple[list[_Tally], int]:
    """Count the same question once, whatever its courtesy; return also how many a person has answered."""
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


def _look_up(topic: Topic, parts: GapParts) -> Topic:
    """Search for the nearest article, and count the questions that would not be refused today."""
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


def embed_questions(embedder: Embedder, questions: Sequence[str]) -> FloatMatrix:
    """Return float32 [n, dimension], rows of length 1."""
    batches = [questions[start : start + _BATCH] for start in range(0, len(questions), _BATCH)]
    found = [embedder.embed_queries(batch).vectors for batch in batches]
    return np.vstack(found) if found else np.zeros((0, embedder.dimension), dtype=np.float32)


def centred(
    vectors: FloatMatrix, languages: Sequence[Language], samples: Mapping[Language, FloatMatrix]
) -> FloatMatrix:
    """Return the vectors less their language's mean, rows of length 1 again.

    ``samples`` are vectors of other questions, float32 [any, dimension] a language.
    """
    spoken = np.array(languages)
    moved = vectors.copy()
    for language in set(languages):
        own = spoken == language
        moved[own] -= np.vstack([vectors[own], samples[language]]).mean(axis=0)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(lengths, 1e-9), dtype=np.float32)


def grouped(vectors: FloatMatrix, least_similarity: float = LEAST_SIMILARITY) -> list[list[int]]:
    """Return the rows of each group, in the rows' order; groups in the order of their first row."""
    if len(vectors) < 2:
        return [[row] for row in range(len(vectors))]
    from scipy.cluster.hierarchy import fcluster, linkage  # half a second that other commands do without

    tree = linkage(vectors.astype(np.float64), method="average", metric="cosine")
    groups: dict[int, list[int]] = {}
    for row, number in enumerate(fcluster(tree, 1 - least_similarity, criterion="distance")):
        groups.setdefault(int(number), []).append(row)
    return list(groups.values())


def most_central(vectors: FloatMatrix, rows: Sequence[int]) -> list[int]:
    """Return a group's rows, the one nearest to all others first."""
    own = vectors[list(rows)]
    nearness = (own @ own.sum(axis=0)).round(6)
    return [rows[place] for place in sorted(range(len(rows)), key=lambda place: (-nearness[place], place))]


def draft_article(topic: Topic, language: Language) -> str:
    """Return the draft: its title, and the questions that it must answer, those in its language first.

    A whole mail is cut to its first words: what customers tell of themselves has no place in an article.
    """
    title = shortened(topic.title(language), _LONGEST_TITLE_CHARACTERS)
    asked = sorted(topic.questions, key=lambda one: one.language != language)[:_MOST_QUESTIONS]
    notes = [translate("eval_gaps.draft_asked", language, n=topic.count, how=topic.troubles_words(language))]
    if topic.nearest is not None:
        where = topic.nearest
        notes.append(translate("eval_gaps.draft_nearest", language, title=where.title, article=where.document_id))
    lines = [
        "---",
        f"title: {json.dumps(title, ensure_ascii=False)}",  # a JSON string is one in YAML, whatever is in it
        f"language: {language}",
        "---",
        f"# {title}",
        "",
        f"## {translate('eval_gaps.draft_questions', language)}",
        "",
        *(f"- {shortened(question.text, _LONGEST_QUESTION_CHARACTERS)}" for question in asked),
        "",
        f"## {translate('eval_gaps.draft_answer', language)}",
        "",
        *(f"> {note}" for note in [*notes, translate("eval_gaps.draft_remove", language)]),
    ]
    return "\n".join(lines) + "\n"


def shortened(text: str, longest: int) -> str:
    r"""Return a text as one line of at most so many characters.

    >>> shortened("Hello,  my kettle\nleaks.", 12)
    'Hello, my k…'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
