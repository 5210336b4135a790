"""The options of a search beside its question: filters of documents, and the conversation.

Documents are filtered by language, product, earliest date and audience, and by their ids.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rag.retrieval.query import folded
from rag.schema import Audience, Language, Retrieval
from rag.storage.store import VISIBLE, KnowledgeStore

PRODUCT_FIELDS = ("product", "products", "产品", "meta.product")
"""Fields of a document's own words that name its products, separated by commas."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The conditions for a document to be found; None or empty: no condition.

    ``language`` is the document's.  ``since`` is the earliest day of its last change: one without a date is left out.
    ``product`` is one of its products, in any width and case.  ``without`` are ids of documents that are left out.
    The ``public`` audience finds no internal document, the ``internal`` one finds all.
    """

    language: Language | None = None
    since: date | None = None
    product: str = ""
    without: frozenset[str] = frozenset()
    audience: Audience = "internal"

    @property
    def restrict(self) -> bool:
        """Whether more than the language is filtered."""
        return self.since is not None or bool(self.product) or bool(self.without) or self.audience == "public"


EVERYTHING = Filters()


@dataclass(frozen=True, slots=True)
class Expansion:
    """Other ``words`` for a question, the only ones searched, their language, and the result ``found`` for it."""

    words: str
    language: Language
    found: Retrieval


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """The options of a search: the conversation's ``earlier`` questions, oldest first, and ``filters``.

    With an ``expansion`` the chunks of its words are returned as well.
    """

    earlier: Sequence[str] = ()
    filters: Filters = EVERYTHING
    expansion: Expansion | None = None


PLAIN_SEARCH = SearchOptions()


def permitted_chunks(store: KnowledgeStore, generation: int, filters: Filters) -> NDArray[np.int64]:
    """Return the chunks of the generation whose documents the filters let pass, ascending."""
    since = filters.since.isoformat() if filters.since is not None else None
    with store.reading() as connection:
        documents = connection.execute(
            f"SELECT document_key, document_id, metadata FROM document WHERE {VISIBLE.format('document')} "
            "AND (:since IS NULL OR updated_on >= :since) AND (audience = 'public' OR :audience = 'internal')",
            {"generation": generation, "since": since, "audience": filters.audience},
        ).fetchall()
        keys = [
            row["document_key"]
            for row in documents
            if row["document_id"] not in filters.without and _is_of(filters.product, row["metadata"])
        ]
        rows = connection.execute(
            f"SELECT chunk_id FROM chunk WHERE {VISIBLE.format('chunk')} "
            "AND document_key IN (SELECT value FROM json_each(:keys)) ORDER BY chunk_id",
            {"generation": generation, "keys": json.dumps(keys)},
        )
        return np.fromiter((row[0] for row in rows), np.int64)


def _is_of(product: str, metadata: str) -> bool:
    if not product:
        return True
    fields: Mapping[str, str] = json.loads(metadata)
    named = [name for field in PRODUCT_FIELDS for name in folded(fields.get(field, "")).replace("，", ",").split(",")]
    return folded(product).strip() in [name.strip() for name in named]
