"""New contact details and instructions to the model in a generation, and their confirmation.

The first publication of a knowledge base confirms its content: the owner chose the files.  Later additions, above all
from a watched folder, are marked until a person confirms them.  An instruction supports no answer, confirmed or not; it
is reported so that a person looks at the document.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from ingest.lock import publication, writer_lock
from rag.grounding.contact_details import contact_details, sentence_key
from rag.grounding.prompt_injection import injection_spans
from rag.storage.connection import Database
from rag.storage.contact_details import ContactDetailTable, NewDetail
from rag.storage.sharing import KnowledgeShare
from rag.storage.store import KnowledgeStore
from rag.storage.writer import KnowledgeWriter


def note_details(database: Database, generation: int, between: Callable[[], None] = lambda: None) -> None:
    """Find and store the addresses in the generation's documents that were not searched yet.

    ``between`` is called every few hundred documents.  Where nothing was confirmed yet, the content of the generation
    before is.
    """
    table = ContactDetailTable(database)
    if generation > 1 and table.latest() is None:
        _note(table, generation - 1, between)
        table.confirm(generation - 1, "")
    _note(table, generation, between)


def confirm_first(database: Database, generation: int) -> None:
    """Confirm the content of a knowledge base's first generation; after a later one, write ``confirmed.json``."""
    table = ContactDetailTable(database)
    if table.latest() is None:
        table.confirm(generation, "")
    else:
        table.keep()


def new_details(database: Database, generation: int) -> tuple[NewDetail, ...]:
    """Return the unconfirmed addresses of a generation."""
    return ContactDetailTable(database).unconfirmed(generation)


def new_details_of(found: Mapping[str, Sequence[str]], store: KnowledgeStore) -> tuple[NewDetail, ...]:
    """Return the unconfirmed ones among addresses, given with the documents that name them."""
    new = ContactDetailTable(store).filter_unconfirmed(list(found)) if found else ()
    return tuple(NewDetail(detail, tuple(sorted(set(found[detail])))) for detail in sorted(new))


def confirm_details(
    folder: Path, person: str, details: Collection[str] | None = None, share: KnowledgeShare | None = None
) -> tuple[int, int]:
    """Confirm addresses of the current generation; return its number and how many were new.

    ``details`` are the ones that a person has seen (``NewDetail.detail``): later additions of a watched folder stay
    unconfirmed.  None: all.  With ``share`` they are confirmed for all desks.  Raises
    ``KnowledgeBaseMissing``, ``IngestRunning`` and what ``publication`` raises.
    """
    with KnowledgeStore(folder) as store:
        generation = store.require_generation()
    with writer_lock(folder, share), KnowledgeWriter(folder) as writer, publication(writer, share) as publisher:
        generation = int(publisher.database.value("SELECT generation FROM current"))
        note_details(publisher.database, generation)
        return generation, ContactDetailTable(publisher.database).confirm(generation, person, details)


def keys_of(text: str, *, with_orders: bool) -> Sequence[str]:
    """Return the keys of a text's addresses and, where asked for, of its orders to the model, each once."""
    keys = dict.fromkeys(one.key for one in contact_details(text))
    if with_orders:
        spans = sorted(injection_spans(text), key=lambda span: span.start)
        words = dict.fromkeys(sentence_key(text[span.start : span.end]) for span in spans)
        keys |= dict.fromkeys(f"order {one}" for one in words if f"directive {one}" not in keys)
    return tuple(keys)


def _note(table: ContactDetailTable, generation: int, between: Callable[[], None]) -> None:
    with_orders = table.latest() is not None  # else all is confirmed at once, and no one reads it
    for batch in table.unread(generation):
        table.add({key: keys_of(text, with_orders=with_orders) for key, text in batch})
        between()
