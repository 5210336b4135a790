"""A vision model's descriptions of documents' pictures, as lines of the documents' texts.

The model is asked once for each picture and language (``rag/storage/figures.py`` stores the reply), after all files
were read: reading is not slowed down, and the progress shows how many pictures there are.  Nothing of this is used
where no vision model is set.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from ingest.reader import FileReader
from ingest.summary import NONE_UNDESCRIBED, Undescribed
from rag.errors import (
    AnswerdeskError,
    DocumentUnreadable,
    ModelSaidNothing,
    ModelTimedOut,
    ModelTooSlow,
    OllamaRefused,
    ServingError,
    SettingsError,
)
from rag.pictures import Picture
from rag.schema import Document, Language
from rag.settings import Settings
from rag.storage.connection import Database
from rag.storage.figures import FigureDescriptionTable, FigureFolder
from rag.text.markup import Line, LineKind, marked_description, read_lines
from rag.translate import translate

if TYPE_CHECKING:
    from rag.generation.picture_description import PictureDescriber

_FAILURES_IN_A_ROW = 2
"""After so many failures in a row, each of which took minutes, the rest is left for the next ingest."""

_OF_ONE_PICTURE = (DocumentUnreadable, ModelSaidNothing, ModelTimedOut, ModelTooSlow, OllamaRefused)
"""Errors that may not recur with the next picture; other errors of the model server do."""

_GOES_ON_IN: dict[LineKind, frozenset[LineKind]] = {
    "text": frozenset({"text"}),
    "item": frozenset({"text"}),
    "row": frozenset({"row", "rule"}),
    "rule": frozenset({"row", "rule"}),
    "fence": frozenset({"code", "fence"}),
    "code": frozenset({"code", "fence"}),
}
_FILE_NAME = "figure.webp"
_INDENT = 2  # of a line that belongs to the list item above it

_REASONS: dict[type[AnswerdeskError], str] = {
    DocumentUnreadable: "picture_damaged",
    ModelSaidNothing: "picture_without_words",
    ModelTooSlow: "picture_too_slow",
}
"""Where the error's own sentence speaks to a person who waits for an answer."""

Descriptions = dict[str, str]
"""Descriptions of pictures, by their digests."""


def with_descriptions(document: Document, descriptions: Descriptions) -> Document:
    """Return a document with a marked line after each of its figures that is described.

    The line stands after the paragraph, the list item or the table that has the figure.  Offsets of figures and pages
    are those in the new text.
    """
    insertions = list(_insertions(document, descriptions))
    if not insertions:
        return document
    text = document.text
    bounds = [0, *(place for place, _ in insertions), len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds)]
    lines = [line for _, line in insertions]
    starts = document.metadata.get("page_starts")
    metadata = dict(document.metadata)
    if starts is not None:
        metadata["page_starts"] = " ".join(str(_shifted_start(insertions, int(start))) for start in starts.split())
    return replace(
        document,
        text="".join(part for pair in zip(pieces, [*lines, ""], strict=True) for part in pair),
        metadata=metadata,
        figures=tuple(
            replace(figure, start=_shifted_start(insertions, figure.start), end=_shifted_end(insertions, figure.end))
            for figure in document.figures
        ),
    )


def _shifted_start(insertions: Sequence[tuple[int, str]], offset: int) -> int:
    """Return a span's start after the insertions, those at its start included, as for a page without words."""
    return offset + sum(len(line) for place, line in insertions if place <= offset)


def _shifted_end(insertions: Sequence[tuple[int, str]], offset: int) -> int:
    """Return a span's end after the insertions: before those at its end."""
    return offset + sum(len(line) for place, line in insertions if place < offset)


def _insertions(document: Document, descriptions: Descriptions) -> Iterator[tuple[int, str]]:
    """Yield places in the text, ascending, with the lines to insert."""
    described = [figure for figure in document.figures if figure.digest in descriptions]
    lines = list(read_lines(document.text)) if described else []
    starts = [line.start for line in lines]
    for figure in described:
        first = bisect_right(starts, max(figure.start, figure.end - 1)) - 1
        last = first
        while last + 1 < len(lines) and lines[last + 1].kind in _GOES_ON_IN.get(lines[first].kind, ()):
            last += 1
        yield lines[last].end, _separator(lines[first]) + marked_description(descriptions[figure.digest])


def _separator(line: Line) -> str:
    """Return the separator before a description: a blank line, or in a list item only an indent."""
    indent = line.level + _INDENT if line.kind == "item" else line.level if line.kind == "text" else 0
    return "\n" + " " * indent if indent else "\n\n"


def known_descriptions(database: Database, model: str, document: Document) -> Descriptions:
    """Return the stored descriptions of a document's pictures in its language."""
    table = FigureDescriptionTable(database)
    return table.known([figure.digest for figure in document.figures], model, document.language)


class FigureDescribing:
    """Has the vision model describe the pictures of one knowledge base.

    Construction imports no model code; ``undescribed`` says at the end how many pictures have none, and why.
    """

    def __init__(self, settings: Settings, database: Database, folder: FigureFolder) -> None:
        if not settings.vision_model:
            raise ValueError("no model for pictures is set")
        self._settings = settings
        self._database = database
        self._table = FigureDescriptionTable(database)
        self._folder = folder
        self.undescribed = NONE_UNDESCRIBED

    def described(self, document: Document) -> Document:
        """Return a document with the known descriptions of its pictures."""
        return with_descriptions(document, known_descriptions(self._database, self._settings.vision_model, document))

    def lacks_descriptions(self, document: Document) -> bool:
        """Tell whether a picture of a document has no description yet."""
        return bool(self._undescribed_digests(document))

    def ask(
        self, documents: Sequence[Document], report: Callable[[int, int], None], reader: FileReader | None = None
    ) -> None:
        """Ask for the descriptions that these documents lack; each is kept as soon as it is there.

        ``report`` gets how many pictures are done, of how many.  ``reader``, which is left open, draws the pictures
        for the model; None: a new one.  A model that cannot be asked raises nothing.
        """
        paths = {(digest, one.language): one.path for one in documents for digest in self._undescribed_digests(one)}
        left = len(paths)
        reason: AnswerdeskError | None = None
        failures = 0
        # a second reader would wait for the memory that an open one holds
        with FileReader.of(self._settings) if reader is None else nullcontext(reader) as files:
            for done, ((digest, language), path) in enumerate(paths.items()):
                report(done, len(paths))
                try:
                    self._describe(digest, language, self._picture(digest, path, files))
                except _OF_ONE_PICTURE as error:
                    reason, failures = reason or error, failures + 1
                except (ServingError, SettingsError) as error:
                    reason, failures = error, _FAILURES_IN_A_ROW
                else:
                    left, failures = left - 1, 0
                if failures >= _FAILURES_IN_A_ROW:
                    break
        report(len(paths) - left, len(paths))
        if reason is not None:
            self.undescribed = Undescribed(left, {"en": _reason(reason, "en"), "zh": _reason(reason, "zh")})

    def _undescribed_digests(self, document: Document) -> list[str]:
        known = known_descriptions(self._database, self._settings.vision_model, document)
        return [figure.digest for figure in document.figures if figure.digest not in known]

    def _describe(self, digest: str, language: Language, picture: Picture) -> None:
        said = self._describer.describe(picture, language)
        self._table.keep(digest, self._settings.vision_model, language, said.text)

    def _picture(self, digest: str, path: str, reader: FileReader) -> Picture:
        """Return a kept picture in a form safe for the model.

        It is redrawn in a confined process: so far only one that a document may have taken over has seen its bytes.
        """
        content = self._folder.read(digest)
        if content is None:
            raise DocumentUnreadable(path=path, reason="malformed")
        drawn: list[Picture] = []
        try:
            reader.copy_picture(_FILE_NAME, content, lambda png: drawn.append(Picture(png)))
        except DocumentUnreadable as error:
            raise DocumentUnreadable(path=path, reason=str(error.details["reason"])) from error
        return drawn[0]

    @cached_property
    def _describer(self) -> "PictureDescriber":
        from rag.factory import picture_describer  # brings the gateway and the search, which no other ingest needs

        made = picture_describer(self._settings)
        if made is None:
            raise AssertionError("a model for pictures is set")
        return made


def _reason(error: AnswerdeskError, language: Language) -> str:
    key = _REASONS.get(type(error))
    return error.text(language) if key is None else translate(f"ingest.{key}", language, **error.details)
