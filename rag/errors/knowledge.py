"""Why the knowledge base cannot serve or be written."""

from rag.errors.base import AnswerdeskError


class KnowledgeError(AnswerdeskError):
    """The knowledge base cannot serve or be written."""

    exit_code = 3


class KnowledgeBaseMissing(KnowledgeError):
    """No generation has been published in ``folder``."""


class KnowledgeBaseNewer(KnowledgeError):
    """The database is at schema version ``found``; this program knows up to ``known``."""


class AccessDenied(KnowledgeError):
    """Knowledge base ``name`` is for readers who hold ``scope``, and this one does not."""


class AccessUnsettled(AccessDenied):
    """Whom knowledge base ``name`` is for is not known any more: only an admin who may read everything gets in."""


class EmbedderMismatch(KnowledgeError):
    """The index was built by ``found`` and this program would search it with ``expected``."""


class IndexDamaged(KnowledgeError):
    """A file of a published generation is missing or fails its checksum; ``reason`` says which."""


class GenerationGone(KnowledgeError):
    """``generation`` cannot be served again; those from ``oldest`` to ``newest`` can."""


class NoRegressionQuestions(KnowledgeError):
    """``name``, a knowledge base or a file, has no question that names the document of its answer."""


class CuratedMissing(KnowledgeError):
    """No curated answer has this ``number``."""


class CuratedUnusable(KnowledgeError):
    """An answer that somebody wrote cannot be kept; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str, where: str = "") -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, where=where)


class StorageFull(KnowledgeError):
    """The disk under ``folder`` has no room left."""


class NoRoomToOpen(StorageFull):
    """The disk under ``folder`` is so full that SQLite cannot even make the small file through which readers share."""
