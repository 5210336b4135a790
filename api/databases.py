"""Opens the databases of people's work before anything is served."""

from api.idempotency import IdempotentRequests
from rag.people.directory import People
from rag.settings import Settings
from rag.storage.turn_store import TurnStore


def require_databases(settings: Settings, *, api: bool = True) -> None:
    """Open ``people.db``, ``turns.db`` and, for the API, ``requests.db`` once, or what a server holds instead.

    Raises ``DatabaseDamaged``, ``DataFolderUnusable``, ``StorageFull``, ``KnowledgeBaseNewer``, ``DatabaseUnavailable``
    and ``ExtraMissing``: the person who starts the program sees it, not the first who asks.
    """
    with People(settings.people_database) as people:
        people.require()
    with TurnStore(settings.turns_database) as turns:
        turns.require()
    if api:
        with IdempotentRequests(settings.requests_database) as requests:
            requests.require()
