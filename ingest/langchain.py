"""Documents of any LangChain document loader as a source of ingestion.

    from ingest import IngestOptions, ingest_documents
    from langchain_community.document_loaders import CSVLoader

    ingest_documents(CSVLoader("faq.csv").lazy_load(), collection="faq", options=IngestOptions(prune=True))

LangChain itself is not imported here: a document is whatever has ``page_content`` and ``metadata``.  A loader is
trusted code: it runs in the process that ingests, with all rights of that process, and not in the confined reader.
"""

import hashlib
import importlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from ingest.difference import Difference, collection_difference
from ingest.identity import CollectionMember, collection_root
from ingest.loaders.encoding import clean
from ingest.loaders.fields import first_line, is_written_by_a_person, make_document, unread_days
from ingest.loaders.source import Limits, SourceFile
from ingest.pipeline import IngestOptions, ingest_collection
from ingest.summary import IngestSummary, ReportProgress
from rag.errors import AnswerdeskError, DocumentUnreadable, LoaderFailed, LoaderUnusable
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings, load_settings
from rag.text.characters import one_line, web_address

_IDS = ("id", "doc_id", "document_id", "uuid")
_ORIGINS = ("source", "file_path", "url", "link", "loc")
_PLACES = ("sheet", "page_name", "page", "page_number", "row", "seq_num", "start_index", "chunk")
_TITLES = ("title", "subject", "name", "question", "heading")
_DATES = (
    "updated", "updated_on", "last_updated", "last_modified", "updated_at", "lastmod", "moddate", "modified", "date",
)  # fmt: skip
_NAME_CHARACTERS = 200
_REASON_CHARACTERS = 300
_SPECIFICATION = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):([A-Za-z_]\w*)")
_COLLECTION_NAME = re.compile(r"[\w.-]{1,64}")


class LoadedDocument(Protocol):
    """The part of ``langchain_core.documents.Document`` that is used."""

    @property
    def page_content(self) -> str:
        """The text."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The loader's metadata about the text, under its own names."""


def ingest_documents(
    documents: Iterable[LoadedDocument],
    settings: Settings | None = None,
    embedder: Embedder | None = None,
    options: IngestOptions | None = None,
    *,
    collection: str,
    progress: ReportProgress | None = None,
) -> IngestSummary:
    """Bring the knowledge base up to date with the documents of a LangChain loader, as ``ingest`` does with files.

    ``collection`` names where they come from, in at most 64 letters, digits, points, hyphens and underscores: with
    ``prune`` its documents that did not come are retired, all others stay.  ``settings`` and ``embedder`` are those of
    the environment where none are given.

    Raises ``LoaderUnusable`` for another name, ``LoaderFailed`` for whatever the iterator raises, and what
    ``ingest_collection`` raises; the former generation then serves on.
    """
    root = _root(collection)
    chosen = load_settings() if settings is None else settings
    return ingest_collection(
        root,
        _members(documents, root, Limits.of(chosen)),
        chosen,
        open_embedder(chosen) if embedder is None else embedder,
        options or IngestOptions(),
        progress=progress,
    )


def documents_difference(
    documents: Iterable[LoadedDocument],
    settings: Settings,
    *,
    collection: str,
    progress: ReportProgress | None = None,
) -> Difference:
    """Compare documents with the current generation, as ``ingest_documents`` would take them; raises what that does."""
    root = _root(collection)
    return collection_difference(root, _members(documents, root, Limits.of(settings)), settings, progress=progress)


@dataclass(frozen=True, slots=True)
class NamedLoader:
    """A loader that was named on the command line, and the collection that its documents belong to."""

    loader: Any
    collection: str

    def documents(self) -> Iterator[LoadedDocument]:
        """Yield the loaded documents; the loader's prints go to standard error, for standard output may be JSON."""
        with redirect_stdout(sys.stderr):
            loaded = iter(self.loader.lazy_load())
        while True:
            with redirect_stdout(sys.stderr):
                try:
                    document = next(loaded)
                except StopIteration:
                    return
            yield document


def open_loader(specification: str, arguments: str = "{}", collection: str | None = None) -> NamedLoader:
    """Import and build the loader ``module:Class`` with keyword ``arguments``, a JSON object.

    The collection's name is the class's and a hash of the arguments where none is given, so that two files read by one
    class are two collections.  Raises ``LoaderUnusable``.
    """
    match = _SPECIFICATION.fullmatch(specification)
    if match is None:
        raise LoaderUnusable(loader=specification, reason="name")
    try:
        keywords = json.loads(arguments)
    except ValueError as error:
        raise LoaderUnusable(loader=specification, reason="arguments", detail=str(error)) from error
    if not isinstance(keywords, dict):
        raise LoaderUnusable(loader=specification, reason="arguments", detail=f"{type(keywords).__name__}")
    name = match[2] + "-" + hashlib.sha256(json.dumps(keywords, sort_keys=True).encode()).hexdigest()[:8]
    _root(collection or name)
    try:
        found = getattr(importlib.import_module(match[1]), match[2])
    except Exception as error:
        raise LoaderUnusable(loader=specification, reason="import", detail=_reason(error)) from error
    if not callable(getattr(found, "lazy_load", None)):
        raise LoaderUnusable(loader=specification, reason="no_loader")
    try:
        with redirect_stdout(sys.stderr):
            loader = found(**keywords)
    except Exception as error:
        raise LoaderUnusable(loader=specification, reason="construction", detail=_reason(error)) from error
    return NamedLoader(loader, collection or name)


def _root(collection: str) -> str:
    if _COLLECTION_NAME.fullmatch(collection) is None:
        raise LoaderUnusable(loader=collection, reason="collection")
    return collection_root(collection)


def _reason(error: BaseException) -> str:
    """Return an error and its cause in one line: ``RuntimeError: Error loading x (FileNotFoundError: ...)``."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
    if error.__cause__ is not None:
        said = f"{said[:_REASON_CHARACTERS]} ({_reason(error.__cause__)})"
    return said[:_REASON_CHARACTERS]


def _members(documents: Iterable[LoadedDocument], root: str, limits: Limits) -> Iterator[CollectionMember]:
    """Yield the documents under unique names, the second ``x`` as ``x#2``, in the loader's order."""
    names: set[str] = set()
    for loaded in _checked_documents(documents, root):
        metadata = _plain_metadata(loaded.metadata)
        text = clean(loaded.page_content)
        wanted = _name(loaded, metadata, text)
        numbered = (f"{wanted}#{number}" for number in count(2))
        name = next(free for free in chain((wanted,), numbered) if free not in names)
        names.add(name)
        yield _member(name, text, metadata, root, limits)


def _checked_documents(documents: Iterable[LoadedDocument], root: str) -> Iterator[LoadedDocument]:
    """Yield the documents; whatever their loader raises becomes ``LoaderFailed``."""
    came = 0
    try:
        for loaded in documents:
            if not isinstance(getattr(loaded, "page_content", None), str) or not isinstance(
                getattr(loaded, "metadata", None), Mapping
            ):
                raise TypeError(f"{type(loaded).__name__} is not a document with page_content and metadata")
            yield loaded
            came += 1
    except AnswerdeskError:
        raise
    except Exception as error:
        raise LoaderFailed(loader=root, count=came, why=_reason(error)) from error


def _plain_metadata(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata as strings under lower-case names; values one level below as ``name.key``."""
    plain: dict[str, str] = {}
    for name, value in metadata.items():
        if isinstance(value, Mapping):
            plain.update({f"{name}.{inner}".lower(): _as_text(deeper) for inner, deeper in value.items()})
        else:
            plain[str(name).lower()] = _as_text(value)
    return {clean(name).strip(): clean(value).strip() for name, value in plain.items() if value.strip()}


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_as_text, value)))
    return str(value) if isinstance(value, str | int | float | Path) else ""


def _name(loaded: LoadedDocument, metadata: Mapping[str, str], text: str) -> str:
    """Return a document's name in its collection, the same in every run, whatever comes before it.

    That is its own id, else its source, both with the row or page inside it; else its title; else a hash of its text.
    """
    own = getattr(loaded, "id", None)
    if isinstance(own, str) and (name := _shortened(own)):
        return name
    place = "".join(f"#{key}={metadata[key]}" for key in _PLACES if key in metadata)
    for key in (*_IDS, *_ORIGINS):
        if name := _shortened(metadata.get(key, "")):
            return _shortened(f"{name}{place}")
    return _shortened(metadata.get("title", "")) or hashlib.sha256(text.encode()).hexdigest()[:12]


def _shortened(name: str) -> str:
    """Return a name as one line; of a long one the beginning and a hash."""
    line = one_line(name)
    if len(line) <= _NAME_CHARACTERS:
        return line
    return f"{line[: _NAME_CHARACTERS - 13]}-{hashlib.sha256(line.encode()).hexdigest()[:12]}"


def _member(name: str, text: str, metadata: Mapping[str, str], root: str, limits: Limits) -> CollectionMember:
    path = f"{root}/{name}"
    try:
        if len(text) > limits.document_bytes:
            raise DocumentUnreadable(path=path, reason="too_large", where=f"{len(text) / 1e6:.0f} MB")
        source = SourceFile(Path(path), Path(root))
        made = make_document(source, text, _fields(name, text, metadata), kind="loader", row_id=name)
    except DocumentUnreadable as failure:
        return CollectionMember(name, failure=DocumentUnreadable(path=path, reason=str(failure.details["reason"])))
    document = replace(made, path=path)
    unread = ", ".join(unread_days(document))
    return CollectionMember(
        name, document, DocumentUnreadable(path=path, reason="term", where=unread) if unread else None
    )


def _fields(name: str, text: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata under the names that ``make_document`` knows; a source that is no link becomes ``origin``."""
    fields = {key: value for key, value in metadata.items() if key not in (*_ORIGINS, *_IDS)}
    link = next(filter(None, (web_address(metadata.get(key, "")) for key in _ORIGINS)), "")
    origin = _first_value(metadata, _ORIGINS)
    fields |= {"source": link, "title": _title(name, text, metadata)}
    if origin and not link:
        fields["origin"] = origin
    if updated := _first_value(metadata, _DATES):
        fields["updated"] = updated
    return fields


def _first_value(metadata: Mapping[str, str], keys: Sequence[str]) -> str:
    """Return the value of the first of the keys that has one; empty for none."""
    return next(filter(None, (metadata.get(key, "") for key in keys)), "")


def _title(name: str, text: str, metadata: Mapping[str, str]) -> str:
    """Return the title a person wrote, else the first line of a whole document, else its source and place."""
    written = (metadata.get(key, "") for key in _TITLES)
    if title := next(filter(is_written_by_a_person, written), ""):
        return title
    place = ", ".join(f"{key} {metadata[key]}" for key in _PLACES if key in metadata)
    line = "" if place else first_line(text)
    if line:
        return line
    origin = _first_value(metadata, _ORIGINS) or name
    stem = re.sub(r"[\s_-]+", " ", PurePosixPath(origin.rstrip("/")).stem).strip() or name
    return f"{stem}, {place}" if place else stem
