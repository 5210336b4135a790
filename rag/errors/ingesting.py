"""Why files do not come into the knowledge base."""

from rag.errors.knowledge import KnowledgeError
from rag.errors.settings import SettingsError
from rag.translate import translate


class IngestRunning(KnowledgeError):
    """Another process (``holder``) is writing this knowledge base."""


class IngestStopped(KnowledgeError):
    """Somebody stopped an ingest, or its process was ended."""


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


class DocumentUnreadable(KnowledgeError):
    """One file cannot be read; the others go on.  ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, path: str, reason: str, where: str = "") -> None:
        self.require_reason(reason)
        super().__init__(path=path, reason=reason, where=where)

    def text(self, language: str) -> str:
        """Return the sentence with the reason in words, and the row or page where one is known."""
        shown = self._shown_details(language)
        reason = f"{shown['reason']} ({shown['where']})" if shown["where"] else shown["reason"]
        if self.details["reason"] == "term":
            return translate("errors.DocumentReadWithout", language, path=shown["path"], reason=reason)
        return translate("errors.DocumentUnreadable", language, path=shown["path"], reason=reason)
