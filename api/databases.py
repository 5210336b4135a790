"""Opens the databases of people's work before anything is served."""

from pathlib import Path

from api.idempotency import IdempotentRequests
from rag.people.directory import People
from rag.settings import Settings
from rag.storage.connection import require_writable
from rag.storage.turn_store import TurnStore


def require_databases(settings: Settings, *, api: bool = True) -> None:
    """Open ``people.db``, ``turns.db`` and, for the API, ``requests.db`` once, or what a server holds instead.

    Raises ``DatabaseDamaged``, ``DataFolderUnusable``, ``StorageFull``, ``KnowledgeBaseNewer``, ``DatabaseUnavailable``
    and ``ExtraMissing``, and ``PeopleMissing`` where nobody would have to sign in any more because users were lost: the
    person who starts the program sees it, not the first who asks.
    """
    for place in (settings.people_database, settings.turns_database):
        if isinstance(place, Path):
            require_writable(place)
    with People(settings.people_database) as people:
        people.require()
        people.mark_admin()  # of an older version's admin
        if settings.sign_in == "auto":
            people.require_kept()
    with TurnStore(settings.turns_database) as turns:
        turns.require()
    if api:
        with IdempotentRequests(settings.requests_database) as requests:
            requests.require()
