"""Which files need not be read again: they are what they were, and so are their documents in the store."""

from collections.abc import Mapping, Sequence

from ingest.file_state import FileState, reading_recipe
from ingest.loaders.source import Limits, SourceFile
from rag.storage.source_files import SourceFileTable
from rag.storage.store import StoredDocument

_FILES_A_TRANSACTION = 1000


class KnownFiles:
    """Files that were read without a failure, against ``live``, the documents of the store by their id.

    ``recipe`` is how documents are cut now: what was cut in another way is read again.
    """

    def __init__(
        self, table: SourceFileTable, live: Mapping[str, StoredDocument], limits: Limits, recipe: str, *, reread: bool
    ) -> None:
        self._table = table
        self._live = live
        self._reading = reading_recipe(limits)
        self._recipe = recipe
        self._ids_by_path: dict[str, list[str]] = {}
        for known in [] if reread or table.is_empty() else live.values():
            self._ids_by_path.setdefault(known.path, []).append(known.document_id)
        self._noted: dict[str, bytes] = {}

    def unchanged(self, source: SourceFile) -> list[str]:
        """Return the ids of a file's documents if reading it would give the same ones; else none."""
        path = str(source.path)
        ids = self._ids_by_path.get(path, [])
        kept = self._table.fingerprint(path) if ids else None
        state = FileState.of(source.path) if kept is not None else None
        documents = [self._live[document_id] for document_id in ids]
        if state is None or any(document.recipe != self._recipe for document in documents):
            return []
        return ids if state.fingerprint(source, self._reading, documents) == kept else []

    def note(self, source: SourceFile, state: FileState | None, documents: Sequence[StoredDocument]) -> None:
        """Remember a file that was just read; ``state`` None where it cannot be trusted, no documents where it failed.

        It is written to the store by and by, and by ``save``.
        """
        path = str(source.path)
        if state is None or not documents or not _is_storable(path):
            return
        self._noted[path] = state.fingerprint(source, self._reading, documents)
        if len(self._noted) >= _FILES_A_TRANSACTION:
            self.save()

    def forget_retired(self) -> None:
        """Forget the files of which no document is live any more."""
        self._table.forget_without_documents()

    def save(self) -> None:
        """Write what was noted."""
        if self._noted:
            self._table.keep(self._noted)
        self._noted = {}


def _is_storable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes in the name that are no UTF-8
        return False
    return True
