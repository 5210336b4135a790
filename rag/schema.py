"""Frozen, typed values passed between the stages, with no behaviour beyond their own fields.

Offsets count code points, ``[start, end)``, into the text that is named.  Scores: higher is better everywhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter

if TYPE_CHECKING:  # the processes that read files and the terminal's first word do without numpy
    import numpy as np
    from numpy.typing import NDArray

Language = Literal["zh", "en"]
Audience = Literal["public", "internal"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture in a document: ``document.text[start:end]`` stands in its place and says what is written in it.

    ``digest`` (64 hexadecimal digits) is the SHA-256 of the kept picture, a WebP of ``width`` x ``height`` pixels.
    ``page`` counts from 1 and is 0 where there are no pages; ``box`` is where it stands there, left, top, right and
    bottom as shares of the page in [0, 1], empty where that is not known.  ``alt`` is what its author says of it,
    ``caption`` the line next to it, ``words`` what was read in it; each may be empty.
    """

    digest: str
    start: int
    end: int
    width: int
    height: int
    page: int = 0
    box: tuple[float, ...] = ()
    alt: str = ""
    caption: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One knowledge article as it was read.

    ``document_id`` is the path below the ingested folder (``returns/deadline.md``), or the row's own id in a JSONL
    file.  ``path`` is where a person finds it.  ``source`` is a link or an empty string.  ``figures`` are in the order
    of the text.
    """

    document_id: str
    path: str
    title: str
    text: str
    language: Language
    source: str = ""
    updated_on: date | None = None
    audience: Audience = "public"
    metadata: Mapping[str, str] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()


HEADER_JOINT = " | "
"""Between the names of the columns where the header of a table that was cut stands among the headings of a chunk."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document: ``text == document.text[start:end]``.

    ``ordinal`` counts the document's chunks from 0.  ``chunk_id`` is the store's number, 0 before it is stored.
    """

    document_id: str
    document_path: str
    title: str
    heading_path: tuple[str, ...]
    text: str
    start: int
    end: int
    ordinal: int
    language: Language
    chunk_id: int = 0

    @property
    def embedded_text(self) -> str:
        """What the embedder and the lexical index see: title, headings and passage."""
        headings = [heading for heading in self.heading_path if heading != self.title]
        return "\n".join([" > ".join([self.title, *headings]), self.text]) if self.title or headings else self.text

    @property
    def text_offset(self) -> int:
        """Where ``text`` begins in ``embedded_text``: titles come first."""
        return len(self.embedded_text) - len(self.text)


# search results


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found by one leg of the search.  ``score`` is that leg's own: cosine in [-1, 1], or BM25 >= 0."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class RetrievedChunk:
    """A chunk after ranking, best first.

    ``score`` compares the chunks of one question only.  ``bm25`` is None where the question's words did not find it,
    ``late`` (the late interaction, a mean cosine of tokens) where its tokens are not kept.
    """

    chunk: Chunk
    score: float
    cosine: float | None = None
    bm25: float | None = None
    late: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class QuestionTokens:
    """A question's tokens as the embedder sees them, for comparing it with passages and sentences word by word.

    ``vectors`` are float32 [q, dimension], rows of length 1; ``weights``, float64 [q], how much each counts.
    ``cosines`` are those with the tokens of the chunks that were found, float32 [t, q] by the chunk's number, so that
    nobody compares them again; a chunk that they lack was compared with other tokens, or not at all.
    """

    vectors: "NDArray[np.float32]"
    weights: "NDArray[np.float64]"
    cosines: "Mapping[int, NDArray[np.float32]]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class RetrievedPart:
    """The result for one part of a question that asks for several things: chunks, best first, and its tokens."""

    chunks: tuple[RetrievedChunk, ...]
    tokens: QuestionTokens


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The result of retrieval for one question, and how sure it is that the answer is in there.

    ``answerable_probability`` in [0, 1] is calibrated (``rag/retrieval/confidence.py``), on the knowledge base's own
    questions where it has a calibration; ``base_probability`` is what it would be without, ``threshold`` from where
    on it is answered.  ``is_doubtful``: it is little above that, or below, both searches ran, and the passages hold no
    rare code of the question.  ``generation`` is the knowledge-base generation that served it.  ``tokens`` are the
    question's (``rag/retrieval/late_interaction.py``).
    ``parts`` are those that were searched by themselves.  ``problem`` is an ``AnswerdeskError`` where passages were
    looked for by words alone, because an engine for vectors failed; None where nothing was left out.
    """

    chunks: tuple[RetrievedChunk, ...]
    answerable_probability: float
    answerable: bool
    generation: int
    tokens: QuestionTokens | None = field(default=None, compare=False, repr=False)
    base_probability: float = 0.0
    threshold: float = 0.0
    parts: tuple[RetrievedPart, ...] = field(default=(), compare=False, repr=False)
    problem: Exception | None = field(default=None, compare=False, repr=False)
    is_doubtful: bool = False


# evidence and answers


Lane = Literal["curated", "cached", "quotation", "model", "refusal"]


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A stretch of a text, ``[start, end)``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage as it is shown and sent to the model: ``text == document.text[start:end]``.

    ``number`` counts from 1 in the order of the prompt.  ``focus_start`` and ``focus_end`` are the document offsets of
    the best retrieved chunk inside the passage.  ``expired_on`` is the last day on which the document's rule held,
    where that day was past when the question was asked, ``starts_on`` the first on which it will hold, where that day
    was still to come; both None for what holds.  In document offsets, both empty for most passages: ``sent`` is what
    the model reads, ``quoted`` the few sentences that answer best of all, and ``below_reply`` what is quoted
    below a reply: a longer stretch of one passage, or two stretches for a question with parts; ``unconfirmed`` are the
    addresses, and the sentences that say what customers are to hear, which are new and which nobody has confirmed yet.
    ``figures`` are those of the document that stand in the passage, at least in part.
    """

    number: int
    document_id: str
    document_path: str
    title: str
    heading_path: tuple[str, ...]
    text: str
    start: int
    end: int
    focus_start: int
    focus_end: int
    language: Language
    updated_on: date | None = None
    audience: Audience = "public"
    source: str = ""
    expired_on: date | None = None
    starts_on: date | None = None
    sent: tuple[TextSpan, ...] = ()
    quoted: tuple[TextSpan, ...] = ()
    below_reply: tuple[TextSpan, ...] = ()
    unconfirmed: tuple[TextSpan, ...] = ()
    figures: tuple[Figure, ...] = ()

    @property
    def is_in_force(self) -> bool:
        """Whether the document's rule held when the question was asked."""
        return self.expired_on is None and self.starts_on is None

    @property
    def headings(self) -> tuple[str, ...]:
        """The headings above the passage, without its title, and without the head of a table that was cut."""
        return tuple(heading for heading in self.heading_path if heading != self.title and HEADER_JOINT not in heading)

    @property
    def cut_header(self) -> tuple[str, ...]:
        """The names of the columns of a table that begins before the passage; none where the passage begins elsewhere.

        >>> Evidence(1, "a", "a", "", ("Fees", "Card | Fee"), "| Gold | 79 |", 0, 13, 0, 13, "en").cut_header
        ('Card', 'Fee')
        """
        header = next((one for one in reversed(self.heading_path) if HEADER_JOINT in one), "")
        return tuple(header.split(HEADER_JOINT)) if header and self.text.lstrip().startswith("|") else ()

    @property
    def may_be_passed_on(self) -> bool:
        """Whether a customer may read it as it is: it is not for staff only, and its rule is in force."""
        return self.audience == "public" and self.is_in_force

    @property
    def may_be_quoted(self) -> bool:
        """Whether it may be quoted to a customer: no part of it waits to be confirmed."""
        return self.may_be_passed_on and not self.unconfirmed

    @property
    def sent_text(self) -> str:
        """The text that the model reads of it, a line for each span; may be empty."""
        return "\n".join(map(self.words, self.sent))

    def holds(self, citation: "Citation") -> bool:
        """Tell whether a citation's quote stands in this passage."""
        is_inside = self.start <= citation.quote_start < citation.quote_end <= self.end
        return is_inside and self.document_id == citation.document_id

    def words(self, span: TextSpan) -> str:
        """Return the text of a span of the document inside this passage."""
        return self.text[span.start - self.start : span.end - self.start]


def renumbered(passages: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return the passages with the numbers from 1 on."""
    return tuple(
        one if one.number == number else replace(one, number=number) for number, one in enumerate(passages, start=1)
    )


@dataclass(frozen=True, slots=True)
class Citation:
    """One supported sentence: ``answer.text[start:end]`` rests on ``document.text[quote_start:quote_end] == quote``.

    ``heading`` is the one right above the quote if neither the sentence nor the question names it, as what the quote
    says may hold under it only.  ``condition`` is what the quote makes a condition ("unless it is damaged"), if the
    sentence leaves it out and the question does not name it.  Both are empty otherwise, and in answers that were stored
    before they were kept.
    """

    start: int
    end: int
    document_id: str
    document_path: str
    quote: str
    quote_start: int
    quote_end: int
    heading: str = ""
    condition: str = ""

    def rests_on(self, start: int, end: int) -> bool:
        """Tell whether the quote has some of the characters [start, end) of its document."""
        return self.quote_start < end and start < self.quote_end


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two passages that say the same but for a figure, a date or a "not".

    ``quote`` is passage ``number``'s sentence, which holds where their dates tell; ``other_quote`` the other one's.
    """

    number: int
    other_number: int
    document_id: str
    other_document_id: str
    quote: str
    other_quote: str


@dataclass(frozen=True, slots=True)
class SpanTime:
    """How long one stage took, in milliseconds.  The names are listed in ``rag/tracing.py``."""

    name: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Origin:
    """Of an answer that was there before: its UTC time (ISO), its generation, a curated one's author and number."""

    written_at: str
    generation: int
    author: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The final word on one question.  The field names are the product's JSON and stay.

    ``refused`` means that the knowledge base does not hold the answer, and ``text`` says so.  ``model`` is then empty
    where retrieval alone decided it, and names the model where that one found nothing in the passages.
    ``stand_in`` is True when the model only stands in for DeepSeek-R1.  ``conflicts`` are those between the passages.
    ``unconfirmed`` are sentences that send the customer to an address which is new in the knowledge base and which
    nobody has confirmed, or that say what such a document wants customers to hear; they may be supported all the same.
    ``origin`` is set where ``lane`` is curated or cached; ``instead_of`` names the error for which passages are quoted.
    ``left_open`` are the parts of the question, in the customer's words, that it does not answer; ``text`` names them.
    ``by_words_alone`` names the error because of which passages were not looked for by meaning: some may be missing.
    ``quotation`` is where ``text`` has the documents' own words below the model's reply.
    ``third_language`` is the ISO 639-1 code of the text's language where that is neither Chinese nor English;
    ``language`` is then that of the prompt.
    """

    text: str
    language: Language
    refused: bool
    thinking: str
    citations: tuple[Citation, ...]
    unsupported: tuple[TextSpan, ...]
    spans: tuple[SpanTime, ...]
    model: str
    stand_in: bool
    generation: int
    conflicts: tuple[Conflict, ...] = ()
    lane: Lane = "model"
    origin: Origin | None = None
    instead_of: str = ""
    unconfirmed: tuple[TextSpan, ...] = ()
    left_open: tuple[str, ...] = ()
    third_language: str = ""
    by_words_alone: str = ""
    quotation: TextSpan | None = None

    @property
    def citations_of_reply(self) -> tuple[Citation, ...]:
        """The citations of what the model wrote, without those of the quotation below it."""
        quotation = self.quotation
        return tuple(one for one in self.citations if quotation is None or one.end <= quotation.start)

    @property
    def text_without_quotation(self) -> str:
        """The text without the documents' own words below the model's reply."""
        quotation = self.quotation or TextSpan(0, 0)
        return self.text[: quotation.start] + self.text[quotation.end :]

    @property
    def text_language(self) -> str:
        """The ISO 639-1 code of the text's language."""
        return self.third_language or self.language

    @property
    def quoted(self) -> bool:
        """Whether the text is the evidence's own words throughout: the model's did not rest on it."""
        if any(_letters(self.text[one.start : one.end]) != _letters(one.quote) for one in self.citations):
            return False
        covered = {position for citation in self.citations for position in range(citation.start, citation.end)}
        return all(position in covered or character.isspace() for position, character in enumerate(self.text))

    @property
    def replaces_reply(self) -> bool:
        """Whether passages are quoted because they did not support what the model wrote: somebody has to read them."""
        return self.lane == "quotation" and bool(self.model)

    def to_json(self) -> dict[str, object]:
        """Return plain lists, dicts, strings and numbers, ready for ``json.dumps``."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Answer":
        """Build an answer from the result of ``to_json`` (after a round trip through JSON)."""
        return _adapter().validate_python(value)


@cache
def _adapter() -> "TypeAdapter[Answer]":
    """Return the reader of answers; making it takes milliseconds."""
    return TypeAdapter(Answer)


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


# the events of one answer, in this order: Retrieved, Queued*, ThinkingDelta*, AnswerDelta*, Completed


@dataclass(frozen=True, slots=True)
class Queued:
    """The model is busy.  ``ahead`` counts the answers before this one; ``wait_seconds`` is None while unknown."""

    ahead: int
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Evidence, before the model speaks.  ``answerable`` False means that a refusal follows.

    ``by_words_alone`` is that of ``Answer``: then no refusal follows but the error.
    """

    evidence: tuple[Evidence, ...]
    answerable: bool
    answerable_probability: float
    generation: int
    by_words_alone: str = ""


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """More of the model's thought.  Never part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More of the answer."""

    text: str


Guard = Literal["", "answerability", "not_found", "no_value", "output_filter", "unsupported"]
"""The answerability check, the reply's own words that nothing was found, a reply without the figure that is asked for,
the output filter, and a refusal in the place of a reply that nothing supports.  Empty: the reply stands."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer as a whole, with its citations and times.

    ``generated_tokens`` of thought and answer took the model ``generation_ms``, after a prompt of ``prompt_tokens``.
    All are 0 where it was not asked.
    ``draft`` is what the model wrote, before the guards: empty where it wrote nothing, or another's reply was shared.
    ``stopped_by`` is the guard because of which the answer is another text.  ``finish_reason`` is why the generation
    ended, as in ``rag.protocols.GenerationFinished``: unless it is "stop", the answer was cut.
    """

    answer: Answer
    generated_tokens: int = 0
    generation_ms: float = 0.0
    draft: str = ""
    stopped_by: Guard = ""
    prompt_tokens: int = 0
    finish_reason: str = "stop"


Event = Queued | Retrieved | ThinkingDelta | AnswerDelta | Completed
