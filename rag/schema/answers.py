"""Evidence, citations and the answer that rests on them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from rag.schema.documents import Audience, Language

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
    the model reads, ``quoted`` the few sentences that answer best of all; ``unconfirmed`` are the addresses, and the
    sentences that say what customers are to hear, which are new and which nobody has confirmed yet.
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
    unconfirmed: tuple[TextSpan, ...] = ()

    @property
    def is_in_force(self) -> bool:
        """Whether the document's rule held when the question was asked."""
        return self.expired_on is None and self.starts_on is None

    def words(self, span: TextSpan) -> str:
        """Return the text of a span of the document inside this passage."""
        return self.text[span.start - self.start : span.end - self.start]


@dataclass(frozen=True, slots=True)
class Citation:
    """One supported sentence: ``answer.text[start:end]`` rests on ``document.text[quote_start:quote_end] == quote``."""

    start: int
    end: int
    document_id: str
    document_path: str
    quote: str
    quote_start: int
    quote_end: int


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
    ``origin`` is set in the lanes curated and cached; ``instead_of`` names the error for which passages are quoted.
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

    @property
    def quoted(self) -> bool:
        """Whether the text is the evidence's own words throughout: the model's did not rest on it."""
        if any(_letters(self.text[one.start : one.end]) != _letters(one.quote) for one in self.citations):
            return False
        covered = {position for citation in self.citations for position in range(citation.start, citation.end)}
        return all(position in covered or character.isspace() for position, character in enumerate(self.text))

    def to_json(self) -> dict[str, object]:
        """Return plain lists, dicts, strings and numbers, ready for ``json.dumps``."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Answer":
        """Build an answer from what ``to_json`` gave (after a round trip through JSON)."""
        return _adapter().validate_python(value)


@cache
def _adapter() -> "TypeAdapter[Answer]":
    """Return what reads an answer; making it takes milliseconds."""
    return TypeAdapter(Answer)


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
