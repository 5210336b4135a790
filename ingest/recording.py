"""What the command line changes, in the record of who changed what (``rag/people/audit.py``)."""

import sys
from typing import Literal

from rag.errors import KnowledgeError, printable
from rag.people.audit import AuditTrail, Detail, terminal_user
from rag.schema import Language
from rag.settings import Settings
from rag.translate import translate


def record_change(
    what: Literal["published", "rolled_back", "setting", "confirmed"],
    settings: Settings,
    language: Language,
    **details: Detail,
) -> bool:
    """Take down what the user of this terminal did to the knowledge base; say it and return False where that fails."""
    trail = AuditTrail(settings.people_path)
    try:
        trail.record(terminal_user(), what, settings.knowledge_base, **details)
    except KnowledgeError as error:
        print(printable(translate("ingest.not_recorded", language, reason=error.text(language))), file=sys.stderr)
        return False
    finally:
        trail.close()
    return True
