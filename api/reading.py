"""Knowledge bases and documents, as programs read them."""

from dataclasses import dataclass

from api.access import Access
from api.callers import Caller
from api.services.shared import DeskServices
from rag.errors import DocumentMissing
from rag.schema import Document


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text`` is ``document.text[start:end]``, as published in ``generation``."""

    document: Document
    generation: int
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words."""
        return self.document.text[self.start : self.end]


def desk_of(access: Access, caller: Caller, named: str | None) -> DeskServices:
    """Return the services for the knowledge base that a request names, else for the first that the caller may read.

    Raises as ``Access.desk``.
    """
    return access.desk(caller, access.base_for(caller, named))


def read_stretch(desk: DeskServices, document_id: str, start: int, end: int | None, most: int | None = None) -> Stretch:
    """Return at most ``most`` characters of a document from ``start`` on, up to ``end``; None: as many as there are.

    Raises ``DocumentMissing`` and ``AccessDenied``.
    """
    opened = desk.library.article(document_id)
    if opened is None:
        raise DocumentMissing(document=document_id)
    length = len(opened.document.text)
    first = min(max(start, 0), length)
    last = min(length if end is None else end, length if most is None else first + most, length)
    return Stretch(opened.document, opened.generation, first, max(first, last))
