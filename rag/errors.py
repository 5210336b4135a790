"""Every error that the product raises on purpose.

docs/errors.md lists the classes with their exit codes.

The sentences are in ``rag/locale/*/errors.toml``, under the names of the classes; ``error.text("zh")`` fills one in.
Foreign exceptions are translated where they arise (``raise OllamaUnavailable(...) from error``), never swallowed.
"""

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rag.translate import is_known, translate

# control characters, line separators, marks that turn the direction of writing, bytes of a name that are no UTF-8
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FILE_REASONS = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.EISDIR: "folder",
    errno.EACCES: "forbidden",
    errno.EPERM: "forbidden",
    errno.EROFS: "read_only",
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EFBIG: "limit",
    errno.ENAMETOOLONG: "name",
    errno.ELOOP: "loop",
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
}
_FIRST_ESCAPED_BYTE, _LAST_ESCAPED_BYTE = 0xDC80, 0xDCFF


def printable(text: str) -> str:
    r"""Return one line that a terminal shows as it is, whatever somebody called a file.

    >>> print(printable("a\nb\x1b[31m"), printable("\udcc4.md"))
    a\nb\x1b[31m \xc4.md
    """
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    if _FIRST_ESCAPED_BYTE <= number <= _LAST_ESCAPED_BYTE:  # how Python keeps the bytes of a file's name
        return f"\\x{number & 0xFF:02x}"
    return match.group().encode("unicode_escape").decode("ascii")


class AnswerdeskError(Exception):
    """The root of the tree.  Keyword arguments fill the sentence's placeholders and stay readable in ``details``.

    The sentence is in ``rag/locale/*/errors.toml`` under the name of the class, or else of the next class above it.
    There too are reasons and remedies, under ``reasons.<class>.<key>``: a detail of one of these two names that is such
    a key is shown in words.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """Return the one sentence for people, in their language."""
        return translate(self._sentence_key(), language, **self._shown_details(language))

    def public_text(self, language: str) -> str:
        """Return the sentence for people elsewhere, whom places on this machine do not concern.

        It is in the catalogue under ``public.<class>``, if it is another.
        """
        key = f"errors.public.{type(self).__name__}"
        return translate(key, language, **self._shown_details(language)) if is_known(key) else self.text(language)

    def reason_text(self, language: str) -> str:
        """Return the detail ``reason`` alone, in words."""
        return str(self._shown_details(language)["reason"])

    @classmethod
    def has_reason(cls, reason: str) -> bool:
        """Return whether the catalogue has words for this reason."""
        return is_known(f"errors.reasons.{cls.__name__}.{reason}")

    @classmethod
    def require_reason(cls, reason: str) -> None:
        """Raise ``ValueError`` for a reason without words: a fault of the program."""
        if not cls.has_reason(reason):
            raise ValueError(f"unknown reason {reason!r} of {cls.__name__}")

    @classmethod
    def _sentence_key(cls) -> str:
        keys = (f"errors.{above.__name__}" for above in cls.__mro__)
        return next(key for key in keys if is_known(key))

    def _shown_details(self, language: str) -> dict[str, object]:
        shown = {
            name: printable(str(value)) if isinstance(value, str | Path) else value
            for name, value in self.details.items()
        }
        for part, table in (("reason", "reasons"), ("remedy", "remedies")):
            key = f"errors.{table}.{type(self).__name__}.{self.details.get(part)}"
            if part in shown and is_known(key):
                shown[part] = translate(key, language, **shown)
        return shown


# output


class OutputLost(AnswerdeskError):
    """Standard output could not be written; ``reason`` is a key of its reasons in the catalogue."""

    exit_code = 74  # EX_IOERR of sysexits.h

    def __init__(self, *, reason: str) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason)


# questions and turns


class QuestionError(AnswerdeskError):
    """The question cannot be worked on."""

    exit_code = 2


class QuestionEmpty(QuestionError):
    """Nothing but white space or control characters."""


class QuestionTooLong(QuestionError):
    """``characters`` typed, ``limit`` allowed."""


class PromptTooLong(QuestionError):
    """The question takes about ``tokens`` of the model's context, in which there is room for ``limit``."""


class QuestionWithoutWords(QuestionError):
    """Only emoji or punctuation: nothing to search for."""


class QuestionsTooFast(QuestionError):
    """One person asked ``count`` questions within a minute; the next one may come in ``seconds``."""


class TurnError(AnswerdeskError):
    """A question that was asked before cannot be shown or finished."""

    exit_code = 6


class TurnMissing(TurnError):
    """No turn has this id."""


class TurnFailed(TurnError):
    """A fault of this program's own broke the turn off; the log tells more under ``number``."""


class AnswerWithdrawn(TurnError):
    """A finished answer is another than its beginning, which was passed on already; ``turn`` has it."""


class RewritingUnusable(TurnError):
    """A text cannot be put into other words; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason)


class FactsChanged(TurnError):
    """What a model made of a text says something else: ``before`` was there, ``after`` came instead or in addition.

    ``reason`` is a key of its reasons in the catalogue.
    """

    def __init__(self, *, reason: str, before: str = "", after: str = "") -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, before=before, after=after)


# settings and options


class SettingsError(AnswerdeskError):
    """A setting or an option has a value that cannot be used; ``reason`` says which and why."""

    exit_code = 2


class BenchmarkMissing(SettingsError):
    """A benchmark (``name``) was called in an installed package, which does not contain the benchmarks."""


class OpenWithoutSignIn(SettingsError):
    """The desk is to be reached from other machines (``address``), and nobody would have to sign in."""


class ProxyWithoutSignIn(SettingsError):
    """A desk that asks nobody to sign in was reached through a proxy, so from who knows where."""


class CalibrationDamaged(SettingsError):
    """The file with a knowledge base's own calibration, at ``path``, is none."""


class BatchLinesUnusable(SettingsError):
    """``lines`` of the file ``name`` are not lines of a batch: pairs of a number from 1 and the key of a reason."""

    def __init__(self, *, name: str, lines: Sequence[tuple[int, str]]) -> None:
        if not lines:
            raise ValueError("no line at all")
        for _, reason in lines:
            self.require_reason(reason)
        self._name, self._lines = printable(name), tuple(lines)
        super().__init__(name=name, lines=self._lines)

    def text(self, language: str) -> str:
        """Return a sentence for each line."""
        return "\n".join(
            translate(
                "errors.BatchLinesUnusable",
                language,
                name=self._name,
                number=number,
                reason=translate(f"errors.reasons.BatchLinesUnusable.{reason}", language),
            )
            for number, reason in self._lines
        )


class FileUnusable(SettingsError):
    """A file that an option names, at ``path``, cannot be read or written; ``reason`` is a key of its reasons."""

    def __init__(self, *, path: str | Path, reason: str) -> None:
        self.require_reason(reason)
        super().__init__(path=path, reason=reason)

    @classmethod
    def because(cls, path: str | Path, error: OSError | UnicodeDecodeError) -> "FileUnusable":
        """Return the error for what the operating system said, or for a text that is none."""
        if isinstance(error, UnicodeDecodeError):
            return cls(path=path, reason="encoding")
        return cls(path=path, reason=_FILE_REASONS.get(error.errno or 0, "failed"))


class GlossaryUnusable(SettingsError):
    """A glossary at ``path`` cannot be used in ``line``.  ``reason`` is a key of its reasons in the catalogue."""


class PortTaken(SettingsError):
    """Another program, or another desk, listens at ``port``; ``another`` is how to name another port."""


class PortTwice(SettingsError):
    """``port`` is to serve both HTTP and gRPC; ``another`` is how to name another port."""


class AddressUnusable(SettingsError):
    """Nothing can listen at ``host`` and ``port``; ``reason`` is a key of its reasons in the catalogue, or says why."""


class ExtraMissing(SettingsError):
    """``what`` needs the packages of the extra ``extra``, which are not installed."""


class VectorEngineUnset(SettingsError):
    """The knowledge base's vectors lie in a vector engine, and the settings name none."""


class CertificateNeeded(SettingsError):
    """Other machines (``address``) are to reach gRPC, and nothing would be encrypted."""


class CertificateUnusable(SettingsError):
    """The files ``certificate`` and ``key`` are none, or do not belong together; ``reason`` is OpenSSL's."""


class ModelUnfit(SettingsError):
    """``model``, a name or a file, cannot be used as was asked; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, model: str | Path, reason: str, what: str = "") -> None:
        self.require_reason(reason)
        super().__init__(model=model, reason=reason, what=what)


class MetricsPortTaken(SettingsError):
    """Another program listens at ``port``, which was to be that of the metrics."""


# requests of other programs


class RequestError(AnswerdeskError):
    """What another program sent to the API cannot be done."""

    exit_code = 2


class RequestUnusable(RequestError):
    """The body does not say what is wanted; ``reason`` is a key of its reasons in the catalogue, or says it itself."""


class RequestTooLarge(RequestError):
    """The body has more than ``limit`` bytes."""


class NotFound(RequestError):
    """The server has no such path."""


class MethodNotAllowed(RequestError):
    """The path has no such method."""


class BadRequest(RequestError):
    """The body cannot be read at all: it is not UTF-8, or breaks off."""


class TooManyAtOnce(RequestError):
    """An API key has ``count`` of something open already, as many as it may; ``reason`` is a key of the catalogue."""

    def __init__(self, *, reason: str, count: int) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, count=count)


class ModelUnknown(RequestError):
    """No knowledge base that the caller may read is called as ``model`` says, or its ending is unknown."""


class ModelNotInstalled(RequestError):
    """A program named a ``model`` that is not installed."""


class ModelsBusy(RequestError):
    """Another job that makes models, or one that moves them, was begun by ``holder`` and has not ended."""


class IdempotencyConflict(RequestError):
    """The same ``Idempotency-Key`` came before, with another body."""


class IdempotencyRunning(RequestError):
    """The request with the same ``Idempotency-Key`` is still being worked on."""


# the knowledge base


class KnowledgeError(AnswerdeskError):
    """The knowledge base cannot serve or be written."""

    exit_code = 3


class KnowledgeBaseMissing(KnowledgeError):
    """No generation has been published in ``folder``."""


class KnowledgeBaseNewer(KnowledgeError):
    """The database is at schema version ``found``; this program knows up to ``known``."""


class AccessDenied(KnowledgeError):
    """The reader may not read knowledge base ``name``.

    ``reason`` is a key of its reasons in the catalogue: it is for readers who hold ``scope``, or it is not told whether
    there is such a knowledge base at all.
    """

    def __init__(self, *, name: str, scope: str = "", reason: str = "unknown") -> None:
        super().__init__(name=name, scope=scope, reason=reason)


class AccessUnsettled(AccessDenied):
    """Whom knowledge base ``name`` is for is not known any more: only an admin who may read everything gets in."""


class EmbedderMismatch(KnowledgeError):
    """The index was built by ``found`` and this program would search it with ``expected``."""


class IndexDamaged(KnowledgeError):
    """A file of a published generation is missing or fails its checksum; ``reason`` says which."""


class GenerationGone(KnowledgeError):
    """``generation`` cannot be served again: it was deleted, or never was."""


class NoRegressionQuestions(KnowledgeError):
    """``name``, a knowledge base or a file, has no question that names the document of its answer."""


class DocumentMissing(KnowledgeError):
    """The current generation has no document ``document``."""


class JobMissing(KnowledgeError):
    """No job has this ``number``, or what became of it is forgotten."""


class CuratedMissing(KnowledgeError):
    """No curated answer has this ``number``."""


class CuratedReplaced(KnowledgeError):
    """Somebody put the curated answer ``number`` into other words meanwhile: no. ``by`` serves instead."""


class CuratedUnusable(KnowledgeError):
    """An answer that somebody wrote cannot be kept; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str, where: str = "") -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, where=where)


class DatabaseUnavailable(KnowledgeError):
    """The PostgreSQL ``server`` (host, port, database) does not do what it is asked, for a ``reason`` in its words."""


class BucketUnavailable(KnowledgeError):
    """Nothing usable comes from a ``bucket`` now; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, bucket: str, reason: str) -> None:
        self.require_reason(reason)
        super().__init__(bucket=bucket, reason=reason)


class BucketRefused(KnowledgeError):
    """A ``bucket`` does not do what it is asked, by whom or where it is asked; ``code`` is its own word for it.

    ``reason`` is a key of its reasons in the catalogue.
    """

    def __init__(self, *, bucket: str, reason: str, code: str = "") -> None:
        self.require_reason(reason)
        super().__init__(bucket=bucket, reason=reason, code=code)


class PiecesElsewhere(KnowledgeError):
    """Knowledge base ``name`` lies in ``place`` (a bucket), and this desk's setting names ``own``, or nothing."""


class VectorEngineError(KnowledgeError):
    """The vector engine ``server`` finds nothing by meaning, for a ``reason`` in its words or ours."""


class VectorEngineUnavailable(VectorEngineError):
    """The vector engine is away, refuses, or does not answer in time."""


class VectorsMissing(VectorEngineError):
    """The vector engine does not hold the vectors that the knowledge base has put there."""


class DatabaseNotEmpty(KnowledgeError):
    """People and turns are to be copied to ``place`` (a file, or a server's database), which holds some already."""


class NothingToCopy(KnowledgeError):
    """There are neither people nor turns in ``place`` that could be copied."""


class CopyDiffers(KnowledgeError):
    """Of ``table`` ``sent`` rows were copied and ``arrived`` arrived, or as many with another content."""


class StorageFull(KnowledgeError):
    """The disk under ``folder`` has no room left."""


class NoRoomToOpen(StorageFull):
    """The disk under ``folder`` is so full that SQLite cannot even make the small file through which readers share."""


class DataFolderUnusable(KnowledgeError):
    """A file or folder of the data folder, ``path``, cannot be opened, read or written by this process.

    ``reason`` is a key of its reasons in the catalogue.
    """

    def __init__(self, *, path: Path, reason: str) -> None:
        self.require_reason(reason)
        super().__init__(path=path, reason=reason)


class DatabaseDamaged(KnowledgeError):
    """The database at ``path`` is damaged, and nothing can make it again: it holds people's work, not documents."""


class DatabaseBusy(KnowledgeError):
    """The database at ``path`` was locked by another program for longer than anybody waits for it."""


class PeopleMissing(KnowledgeError):
    """There was an admin in the database at ``path``, as ``mark`` says, and there is none any more."""


class IngestRunning(KnowledgeError):
    """Another process (``holder``) is writing this knowledge base."""


class ReaderUnavailable(KnowledgeError):
    """The process that reads files cannot run on this machine; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason)


class IngestStopped(KnowledgeError):
    """Somebody stopped an ingest, or its process was ended."""


class WorkerRefused(KnowledgeError):
    """A worker may not embed; ``reason`` is a key of its reasons in the catalogue.

    It has ``found`` (its vector space, or its version), and an ingest wants ``expected``.
    """

    def __init__(self, *, reason: str, found: str = "", expected: str = "") -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, found=found, expected=expected)


class UploadUnusable(KnowledgeError):
    """A file that was handed in has a name, ``name``, of which nothing can be kept."""


class UploadsUsedUp(KnowledgeError):
    """One person handed in as much within a day as they may: ``files`` files, or ``megabytes`` MB."""


class OwnFilesWaiting(KnowledgeError):
    """``waiting`` files of the same person wait to be read already: as many as one person may have."""


class SourceMissing(KnowledgeError):
    """A path given to ingest does not exist."""


class NothingToIngest(KnowledgeError):
    """No readable document under the given paths, and no knowledge base to keep."""


class LoaderFailed(KnowledgeError):
    """A LangChain loader raised an error (``why``) after ``count`` documents; nothing was published."""


class LoaderUnusable(SettingsError):
    """A LangChain loader cannot be imported or built; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, loader: str, reason: str, detail: str = "") -> None:
        self.require_reason(reason)
        super().__init__(loader=loader, reason=reason, detail=detail)


_PLACE = re.compile(r"(?<!\w)(line|row|record|page) (\d{1,12})\Z")


class DocumentUnreadable(KnowledgeError):
    """One file cannot be read, or not whole; the others go on.  ``reason`` is a key of its reasons in the catalogue.

    ``where`` names files inside of the file, and at its end a line, row, record or page by its number ("row 3").
    """

    _REMARKS: ClassVar = frozenset({"term", "formula"})
    _OF_PARTS: ClassVar = frozenset({"row", "duplicate"})

    def __init__(self, *, path: str, reason: str, where: str = "") -> None:
        self.require_reason(reason)
        super().__init__(path=path, reason=reason, where=where)

    @property
    def is_remark(self) -> bool:
        """Whether the file was read, and only something in it is unclear."""
        return self.details["reason"] in self._REMARKS

    def place_text(self, language: str) -> str:
        """Return the detail ``where`` in words; empty where no place is known."""

        def in_words(place: re.Match[str]) -> str:
            return translate(f"errors.places.{place[1]}", language, number=place[2])

        return _PLACE.sub(in_words, str(self._shown_details(language)["where"]))

    def text(self, language: str) -> str:
        """Return the sentence with the reason in words, and the row or page where one is known."""
        shown, place = self._shown_details(language), self.place_text(language)
        reason = f"{shown['reason']} ({place})" if place else shown["reason"]
        key = "errors.DocumentUnreadable"
        if self.is_remark:
            key = "errors.DocumentReadWithout"
        elif self.details["reason"] in self._OF_PARTS:
            key = "errors.DocumentPartUnreadable"
        return translate(key, language, path=shown["path"], reason=reason)


# people and sign-in


class PeopleError(AnswerdeskError):
    """Somebody is not known here, or may not do this."""

    exit_code = 7


class SignInNeeded(PeopleError):
    """Nobody is signed in: never was, the time is over, somebody ended it, or the person was disabled."""


class SignInWrong(PeopleError):
    """Name and password do not belong together; which of the two is wrong is not told."""


class SignInThrottled(PeopleError):
    """Too many wrong attempts; the next is looked at in ``seconds``."""


class NotPermitted(PeopleError):
    """What was asked for needs at least the role ``role``."""


class KeyNeeded(PeopleError):
    """A request brought no API key, from where one is needed."""


class RightMissing(PeopleError):
    """The API key does not have the right ``right``."""


class PersonUnknown(PeopleError):
    """Nobody of this ``name``."""


class PersonTaken(PeopleError):
    """There is somebody of this ``name``; names are not given twice, also when a person was disabled."""


class PersonUnusable(PeopleError):
    """A name, a password or a code cannot be used; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str, **details: object) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, **details)


class ScopeNotHeld(PeopleError):
    """``scopes`` were to be given by somebody who does not have them, or everything by somebody with limits."""


class PersonOutOfReach(PeopleError):
    """``name`` may read more than the admin who wanted to change them."""


class PersonNeeded(PeopleError):
    """An API key was to do what only an admin in person may: it would get beyond its rights, or outlive its end."""


class LastAdmin(PeopleError):
    """Nobody could let anybody in any more."""


class ApiKeyRefused(PeopleError):
    """An API key opens nothing: unknown, revoked, expired, or its owner is disabled; which of these is not told."""


class ApiKeyUnknown(PeopleError):
    """There is no API key ``key_id`` that could be changed: it never was, or it is revoked."""


class ApiKeyUnusable(PeopleError):
    """An API key cannot be made like this; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str, **details: object) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, **details)


class ForeignHost(PeopleError):
    """A browser asked for the desk under a name that is not one of its own: a stranger's name may lead anywhere."""


class ForeignPage(PeopleError):
    """A request came from a page that the desk did not serve, or through a proxy that is not trusted."""


class TooManyTabs(PeopleError):
    """One person has ``limit`` pages open, or opened far more within minutes."""


class UploadsFull(PeopleError):
    """The files of one person that wait in memory would be more than ``megabytes``."""


# the model server


class ServingError(AnswerdeskError):
    """The model server cannot answer.  Evidence still works."""

    exit_code = 4


class OllamaUnavailable(ServingError):
    """Nothing answers at ``host``."""


class NoHostAnswers(OllamaUnavailable):
    """Nothing answers at any of the several ``hosts``."""


class NotOllama(OllamaUnavailable):
    """Another program than Ollama answers at ``host``."""


class OllamaSilent(OllamaUnavailable):
    """Something listens at ``host``, and does not answer as Ollama does: it is silent, hangs up, or reports a fault."""


class OllamaElsewhere(ServingError):
    """Nothing answers at ``host``, which is another machine: no process can be started there from here."""


class OllamaNotInstalled(ServingError):
    """No Ollama on PATH and none in the cache."""


class OllamaNotStarted(ServingError):
    """Ollama was started and did not begin to answer; ``reason`` is the last thing it said, ``log`` the whole."""


class OllamaRefused(ServingError):
    """Ollama answered with an error; ``reason`` is its own words."""


class ModelMissing(ServingError):
    """``model`` is not installed in this Ollama."""


class NotAVisionModel(ServingError):
    """``model`` cannot be shown pictures: it would answer as if there were none."""


class ModelTooLarge(ServingError):
    """There is no memory for ``model``, nor for the last thing that was ``tried``."""


class ModelTimedOut(ServingError):
    """No token came for ``seconds``."""


class ModelStoppedHalfway(ServingError):
    """The connection broke in mid-answer; ``partial_text`` is what had come."""

    def __init__(self, *, partial_text: str) -> None:
        super().__init__()
        self.partial_text = partial_text


class ModelSaidNothing(ServingError):
    """The model ended without an answer, twice in a row."""


class QueueFull(ServingError):
    """``waiting`` questions are ahead already.  ``retry_seconds`` is when the next place is free, None: unknown."""


class OwnQueueFull(ServingError):
    """``waiting`` questions of the same person, ``owner``, wait already: as many as one person may have."""


class WaitedTooLong(ServingError):
    """No slot became free within ``seconds``."""


class ModelTooSlow(ServingError):
    """A text that somebody waits for was not written within ``seconds``."""


class AnswerCancelled(ServingError):
    """The asker stopped it."""


class AnswerInterrupted(ServingError):
    """The program that was answering ended before the answer was complete."""


# set-up


class ProvisioningError(AnswerdeskError):
    """A part could not be brought onto this machine."""

    exit_code = 5


class DownloadFailed(ProvisioningError):
    """``what`` could not be fetched; ``reason`` and ``remedy`` are keys of the catalogue, or words of somebody else."""


class ChecksumMismatch(ProvisioningError):
    """A downloaded file is not the one that was pinned."""


class LinkInCache(ProvisioningError):
    """A log or lock of the cache folder is a link, through which something else would be overwritten."""


class ToolMissing(ProvisioningError):
    """A program or header that a build needs is not installed and cannot be installed without root."""


class SandboxUnusable(ProvisioningError):
    """Programs that a model wrote cannot be run, for nothing would hold them; ``reason`` is a key of the catalogue.

    ``what`` is what bubblewrap or the self-check said.
    """

    def __init__(self, *, reason: str, what: str = "") -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, what=what)


class BuildFailed(ProvisioningError):
    """A build ended with an error; its output is kept in ``log``."""


class AuditImpossible(ProvisioningError):
    """Nobody said whether the locked packages have vulnerabilities; ``reason`` is a technical one."""


class VulnerablePackages(ProvisioningError):
    """Published vulnerabilities concern locked packages; ``found`` names both."""


class EmbedderMissing(ProvisioningError):
    """The embedder's folder is not on this machine."""


class EmbedderTooLarge(EmbedderMissing):
    """There is no memory for the embedder, or for the threads that it works with."""


class SearchModelMissing(EmbedderMissing):
    """The embedding model or reranker ``name``, one of the model hub's, has not been fetched yet."""


class SearchModelUnusable(EmbedderMissing):
    """The embedding model or reranker ``name`` cannot be used; ``reason`` says why."""


class TorchMissing(EmbedderMissing):
    """torch was left out when the environment was made, and a search model or the reference embedder needs it."""
