"""What an ingest reports: its progress, the outcome of the regression gate, and its summary."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import PlainSerializer, PlainValidator

from ingest.changes import NO_CHANGES, Changes
from ingest.duplicates import NO_DUPLICATES, Duplicates
from rag.errors import DocumentUnreadable
from rag.schema import Language
from rag.storage.contact_details import NewDetail
from rag.translate import translate

FOUND_WITHIN = 5
"""A document counts as found at this rank or better; the benchmarks measure recall there, too (``recall_at_5``)."""

_ROUNDING = 1e-9

Stage = Literal["reading", "describing", "embedding", "publishing"]

Unreadable = Annotated[
    DocumentUnreadable,
    PlainValidator(lambda given: given if isinstance(given, DocumentUnreadable) else DocumentUnreadable(**given)),
    PlainSerializer(lambda error: error.details),
]
"""The error, which crosses to another process as its details."""


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """An ingest's progress.  Passages are those without a vector: embedded, and found so far; ``failure`` is a new one.

    In the stage ``reading`` both files and passages are under way; in ``embedding`` all files are read, and
    ``passages_total`` is all there is to do.  In between, in ``describing``, a model is shown pictures.  ``workers``
    are processes that embed beside this one.
    """

    stage: Stage
    files_done: int = 0
    files_total: int = 0
    passages_done: int = 0
    passages_total: int = 0
    failure: Unreadable | None = None
    pictures_done: int = 0
    pictures_total: int = 0
    workers: int = 0

    @property
    def counts(self) -> tuple[int, int]:
        """The stage's items done, and their total; ``publishing`` counts files, all done."""
        if self.stage == "embedding":
            return self.passages_done, self.passages_total
        if self.stage == "describing":
            return self.pictures_done, self.pictures_total
        return self.files_done, self.files_total


ReportProgress = Callable[[IngestProgress], None]


@dataclass(frozen=True, slots=True)
class Undescribed:
    """The number of pictures without a description, and the first reason in both languages."""

    pictures: int = 0
    reason: Mapping[Language, str] = field(default_factory=dict)


NONE_UNDESCRIBED = Undescribed()


def workers_sentence(workers: int, language: Language) -> str:
    """Return the number of workers, as a suffix to the progress; empty for none."""
    return translate("ingest.workers_help", language, workers=workers) if workers else ""


def undescribed_sentence(found: Undescribed, language: Language) -> str:
    """Return the sentence about them."""
    return translate("ingest.undescribed", language, count=found.pictures, reason=found.reason[language])


@dataclass(frozen=True, slots=True)
class QuestionChange:
    """A question whose document came or went.

    ``before`` and ``after`` are its ranks from 1, None where it was not among the passages that came back.  ``first``
    is the document that now comes first, empty where none does.  ``present`` tells whether the generation that is
    built has an expected document at all.
    """

    question: str
    document_ids: tuple[str, ...]
    before: int | None
    after: int | None
    first: str
    present: bool


@dataclass(frozen=True, slots=True)
class GateReport:
    """The results of the built generation on the questions, against the serving one.

    ``questions`` were compared; ``before`` and ``after`` count those that found their document within
    ``FOUND_WITHIN``.  Not compared are ``retired`` ones, whose document this run retired as asked, ``unknown`` ones,
    whose documents neither generation has, and ``new`` ones, for which there is no earlier result.
    ``margin`` in [0, 1] is how much recall may fall.
    """

    questions: int
    before: int
    after: int
    margin: float
    lost: tuple[QuestionChange, ...] = ()
    won: tuple[QuestionChange, ...] = ()
    retired: tuple[QuestionChange, ...] = ()
    unknown: int = 0
    new: int = 0
    forced: bool = False

    @property
    def passed(self) -> bool:
        """Whether recall fell by no more than the margin."""
        return self.before - self.after <= self.margin * self.questions + _ROUNDING


@dataclass(frozen=True, slots=True)
class Publication:
    """The generation that serves after an ingest.

    ``documents`` and ``chunks`` count what the generation holds.  ``published`` is False when nothing had changed, or
    when ``gate``, which is None where no regression questions were asked, stayed shut.  ``duplicates`` are those of
    this generation's new documents, ``new_details`` its unconfirmed addresses.

    Of a rehearsal ``documents`` and ``chunks`` count what would be published, ``changes`` says what that changes, and
    ``generation`` is still the current one, 0 where there is none.
    """

    generation: int
    documents: int
    chunks: int
    gate: GateReport | None = None
    published: bool = False
    changes: Changes = NO_CHANGES
    duplicates: Duplicates = NO_DUPLICATES
    new_details: tuple[NewDetail, ...] = ()

    @property
    def is_held_back(self) -> bool:
        """Whether a generation was built and the gate did not let it be published."""
        return self.gate is not None and not (self.gate.passed or self.published)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSummary(Publication):
    """The outcome of an ingest.

    ``added``, ``changed``, ``unchanged``, ``moved`` (same words, another name) and ``retired`` count documents;
    ``failures`` are files and rows that could not be read, and whose former content, if any, stays, or days that are
    unclear; ``partly_read`` are those of their files that gave documents all the same.  ``missing``
    documents are known and were not found; they are retired only when that is asked for.  ``embedded`` counts the
    passages that went through the embedder; of these ``workers`` did so many each, by their names, and
    ``refused_workers`` gives the reasons, keys of those of ``WorkerRefused``, why some did no more.  ``undescribed``
    are pictures of documents that were read.  Left out are ``unsupported`` files, for their kind, and ``links_out``,
    which lead out of the folders.  ``mended`` means that nothing was new, and the index was damaged and made again.
    """

    added: int
    changed: int
    unchanged: int
    retired: int
    moved: int
    missing: int
    failures: tuple[Unreadable, ...]
    embedded: int
    seconds: float
    partly_read: frozenset[Path] = frozenset()
    undescribed: Undescribed = NONE_UNDESCRIBED
    unsupported: tuple[Path, ...] = ()
    links_out: tuple[Path, ...] = ()
    workers: Mapping[str, int] = field(default_factory=dict)
    refused_workers: Mapping[str, str] = field(default_factory=dict)
    mended: bool = False

    @property
    def unread(self) -> frozenset[Path]:
        """The files that gave no document."""
        return frozenset(Path(str(failure.details["path"])) for failure in self.failures) - self.partly_read

    @property
    def chunks_per_second(self) -> float:
        """Passages embedded a second, from the first file to the published generation; 0 when none was."""
        return self.embedded / self.seconds if self.seconds > 0 else 0.0
