"""The ways to an answer that need no model, quickest first: what a person wrote, what was answered before.

A lane that cannot be read (a full disk, a damaged file) is passed by, and the log tells: the question is then answered
as if the lane were not there.
"""

import logging

from rag.answering.curated import Curation, Served
from rag.errors import KnowledgeError
from rag.schema import Language
from rag.tracing import Trace

_LOG = logging.getLogger(__name__)


class Lanes:
    """Looks for an answer that is there already."""

    def __init__(self, curation: Curation) -> None:
        self._curation = curation

    def served(self, question: str, language: Language, trace: Trace) -> Served | None:
        """Return the whole answer, or None where the question must be answered anew."""
        try:
            return self._curation.answer(question, language, trace)
        except KnowledgeError as error:
            _LOG.warning("curated answers are passed by: %s", type(error).__name__)
            return None
