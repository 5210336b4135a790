"""Document ids, and the hashes that identify unchanged and moved documents."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import asdict, dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Literal

from ingest.discovery import Discovery
from ingest.loaders.source import INSIDE, SourceFile
from rag.errors import DocumentUnreadable
from rag.schema import Document
from rag.storage.store import StoredDocument

_COUNTED = re.compile(r"#\d+$")


def content_hash(document: Document) -> bytes:
    """Return 32 bytes that change with anything a reader could see: text, title, date, audience, path and so on."""
    fields: dict[str, object] = {
        "document_id": document.document_id,
        "path": document.path,
        "title": document.title,
        "text": document.text,
        "language": document.language,
        "source": document.source,
        "updated_on": document.updated_on.isoformat() if document.updated_on is not None else None,
        "audience": document.audience,
        "metadata": dict(document.metadata),
    }
    if document.figures:  # a document without pictures has the hash that it had before there were figures
        fields["figures"] = [asdict(figure) for figure in document.figures]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False, sort_keys=True).encode()).digest()


def body_hash(document: Document) -> bytes:
    """Return 32 bytes of a document's title and text, by which it is recognised at another place."""
    return hashlib.sha256(f"{document.title}\0{document.text}".encode()).digest()


@dataclass(frozen=True, slots=True)
class DocumentMatch:
    """A document under its id; ``known`` is the stored one of that id, None where there is none."""

    document: Document
    digest: bytes
    known: StoredDocument | None

    def with_text(self, document: Document) -> "DocumentMatch":
        """Return the match of the same document with another text."""
        return DocumentMatch(document, content_hash(document), self.known)

    @property
    def kind(self) -> Literal["added", "changed", "unchanged"]:
        """Its category in an ingest's counts."""
        if self.known is None:
            return "added"
        return "unchanged" if self.known.content_hash == self.digest else "changed"


@dataclass(frozen=True, slots=True)
class CollectionMember:
    """A collection's entry: a document, whose ``document_id`` is the name, a failure, or both."""

    name: str
    document: Document | None = None
    failure: DocumentUnreadable | None = None


_COLLECTION = "collection:"


def collection_root(name: str) -> str:
    """Return the ``StoredDocument.root`` of documents without a file: ``collection:NAME``."""
    return f"{_COLLECTION}{name}"


class DocumentIds:
    """Gives every document of one ingest its id.

    That is the path below the ingested folder, a place inside the file there, or the row's own id.  A file that is
    known keeps its id through whichever folder it is found.  An id belongs to the document that had it first, as long
    as that one's file is there; the next one with the same name gets more of its path in front: ``manual/returns.md``.
    """

    def __init__(self, live: Mapping[str, StoredDocument]) -> None:
        self._live = live
        self._by_path = {known.path: known.document_id for known in live.values() if _was_whole_file(known)}
        self._by_member = {(known.root, known.relative_path): known.document_id for known in live.values()}
        self._given: set[str] = set()

    def classify(self, read: Document, source: SourceFile) -> DocumentMatch:
        """Give a document its id and compare it with the one that is known by it."""
        document = replace(read, document_id=self.give(read, source))
        return DocumentMatch(document, content_hash(document), self._live.get(document.document_id))

    def give(self, document: Document, source: SourceFile) -> str:
        """Return an id for the document that no other document of this run has."""
        chosen = self._known_id(document, source) or self._free_id(document, source)
        self._given.add(chosen)
        return chosen

    def classify_member(self, read: Document, root: str) -> DocumentMatch:
        """Give a document of a collection its id and compare it with the one that is known by it.

        The id is the document's name in the collection, with the collection's name in front where another document has
        that id.  A known member keeps its id.
        """
        name = read.document_id
        longer = f"{root.removeprefix(_COLLECTION)}/{name}"
        counted = (f"{longer}#{number}" for number in count(2))
        chosen = self._by_member.get((root, name)) or next(
            free for free in chain((name, longer), counted) if self._is_free(free)
        )
        self._given.add(chosen)
        document = replace(read, document_id=chosen)
        return DocumentMatch(document, content_hash(document), self._live.get(chosen))

    def keep_member(self, name: str, root: str) -> None:
        """Keep a collection's known document that cannot be read now."""
        known = self._by_member.get((root, name))
        if known is not None:
            self._given.add(known)

    def missing_members(self, root: str) -> list[str]:
        """Return the ids of the collection's known documents that this run did not find."""
        return [
            known.document_id
            for known in self._live.values()
            if known.root == root and not self.is_assigned(known.document_id)
        ]

    def keep(self, document_id: str) -> None:
        """Keep the id of a known document whose file was not read again."""
        self._given.add(document_id)

    def is_assigned(self, document_id: str) -> bool:
        """Tell whether a document of this run has the id."""
        return document_id in self._given

    def _known_id(self, document: Document, source: SourceFile) -> str | None:
        if document.document_id == source.document_id:
            names = [self._by_path[document.path]] if document.path in self._by_path else []
        else:
            names = [name for name in _names(document, source) if self._has_path(name, document.path)]
        return next((name for name in names if name not in self._given), None)

    def _has_path(self, document_id: str, path: str) -> bool:
        known = self._live.get(document_id)
        return known is not None and known.path == path

    def _free_id(self, document: Document, source: SourceFile) -> str:
        names = list(_names(document, source))
        counted = (f"{names[-1]}#{number}" for number in count(2))
        return next(name for name in chain(names, counted) if self._is_free(name))

    def _is_free(self, document_id: str) -> bool:
        if document_id in self._given:
            return False
        known = self._live.get(document_id)
        if known is None:
            return True
        is_file = not known.root.startswith(_COLLECTION)
        return is_file and not Path(known.path).exists()  # its file is gone: this is where it moved to


def missing_documents(
    known: Mapping[str, StoredDocument], ids: DocumentIds, discovery: Discovery, failures: Iterable[DocumentUnreadable]
) -> list[str]:
    """Return the ids of known documents under the discovered paths that this run did not find.

    Unreadable documents are not missing: they stay as they were.
    """
    unread = {Path(str(failure.details["path"])) for failure in failures}
    return [
        document.document_id
        for document in known.values()
        if not ids.is_assigned(document.document_id)
        and discovery.covers(Path(document.path))
        and unread.isdisjoint([Path(document.path), *Path(document.path).parents])
    ]


def moves(missing: Iterable[Document], added: MutableMapping[bytes, str]) -> Iterator[tuple[str, str]]:
    """Yield the old and the new id of moved documents, and remove them from ``added``, the new ids by ``body_hash``."""
    for document in missing:
        new_id = added.pop(body_hash(document), None)
        if new_id is not None:
            yield document.document_id, new_id


def _was_whole_file(known: StoredDocument) -> bool:
    """Tell whether a document is a whole file, not a row, an attachment or a file in an archive."""
    return f"/{_COUNTED.sub('', known.document_id)}".endswith(f"/{known.relative_path}")


def _is_row(document: Document, source: SourceFile) -> bool:
    """Tell whether the document has an id of its own, independent of its file."""
    return document.document_id.split(INSIDE)[0] != source.document_id


def _names(document: Document, source: SourceFile) -> Iterator[str]:
    """Yield the document's own id, then longer ones, up to the whole path."""
    yield document.document_id
    path = source.path
    if _is_row(document, source):
        folders, name = path.parent, f"{path.name}/{document.document_id}"
        yield name
    else:
        folders, name = source.root, document.document_id
    for folder in (folders, *folders.parents):
        name = f"{folder.name}/{name}"
        yield name
