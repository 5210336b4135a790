"""Documents and the chunks they are split into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Language = Literal["zh", "en"]
Audience = Literal["public", "internal"]


@dataclass(frozen=True, slots=True)
class Document:
    """One knowledge article as it was read.

    ``document_id`` is the path below the ingested folder (``returns/deadline.md``), or the row's own id in a JSONL
    file.  ``path`` is where a person finds it.  ``source`` is a link or an empty string.
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
        """What the embedder and the lexical index see: title, headings and passage (titles matter: see RETRIEVAL)."""
        headings = [heading for heading in self.heading_path if heading != self.title]
        return "\n".join([" > ".join([self.title, *headings]), self.text]) if self.title or headings else self.text
