"""Provides the pipelines of several knowledge bases to the users who may use them."""

import threading
from collections.abc import Callable
from functools import partial

from rag.storage.access import User
from rag.storage.knowledge_bases import KnowledgeBases
from rag.turns.service import AnswerPipeline


class OnceBuilt:
    """A pipeline that is built at the first call and kept; a build that fails is tried again at the next call.

    So a knowledge base that is created later is served without a restart.
    """

    def __init__(self, build: Callable[[], AnswerPipeline]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._built: AnswerPipeline | None = None

    def __call__(self) -> AnswerPipeline:
        """Return the pipeline; a second caller waits for the first one's build."""
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built


class Pipelines:
    """One pipeline a knowledge base, built at its first question and kept.  Safe to call from many threads.

    This is where retrieval is guarded: a question reaches passages, a curated answer or a cached one only through a
    pipeline, and a pipeline is had here only.
    """

    def __init__(self, bases: KnowledgeBases, build: Callable[[str], AnswerPipeline]) -> None:
        self._bases = bases
        self._build = build
        self._lock = threading.Lock()
        self._of: dict[str, OnceBuilt] = {}

    def __call__(self, name: str, user: User) -> AnswerPipeline:
        """Return the pipeline of knowledge base ``name``.

        Raises ``AccessDenied`` where the user may not use it, and what building it raises.
        """
        self._bases.require(user, name)
        with self._lock:
            once = self._of.setdefault(name, OnceBuilt(partial(self._build, name)))
        return once()
