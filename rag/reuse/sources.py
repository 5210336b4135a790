"""The ways to an answer that need no model, quickest first: what a person wrote, what was answered before.

A lane that cannot be read (a full disk, a damaged file) is passed by, and the log tells: the question is then answered
as if the lane were not there.
"""

import logging
from collections.abc import Sequence

from rag.errors import KnowledgeError
from rag.reuse.cache import AnswerCache
from rag.reuse.curated import Curation, Served
from rag.schema import Audience, Completed, Evidence, Language
from rag.tracing import Trace

_LOG = logging.getLogger(__name__)


class AnswerSources:
    """Looks for an answer that is there already, and keeps new ones."""

    def __init__(self, curation: Curation, cache: AnswerCache | None = None) -> None:
        self._curation = curation
        self._cache = cache

    def served(
        self, question: str, language: Language, think: bool | None, trace: Trace, audience: Audience = "internal"
    ) -> Served | None:
        """Return the whole answer, or None where the question must be answered anew.

        An answer of the model's is given again only to who asks for a thought, or for none, as it was asked for then.
        The ``public`` audience is given nothing that rests on an internal document, or was answered for colleagues.
        """
        try:
            found = self._curation.answer(question, language, trace, audience)
        except KnowledgeError as error:
            _LOG.warning("curated answers are passed by: %s", type(error).__name__)
            found = None
        if found is not None or self._cache is None:
            return found
        try:
            return self._cache.answer(question, think, trace, audience)
        except KnowledgeError as error:
            _LOG.warning("the cache is passed by: %s", type(error).__name__)
            return None

    def keep(
        self,
        question: str,
        think: bool | None,
        evidence: Sequence[Evidence],
        completed: Completed,
        audience: Audience = "internal",
    ) -> None:
        """Keep an answer that may be given again to the audience that it was made for."""
        if self._cache is None:
            return
        try:
            self._cache.keep(question, think, evidence, completed, audience)
        except KnowledgeError as error:
            _LOG.warning("an answer was not cached: %s", type(error).__name__)
