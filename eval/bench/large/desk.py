"""A desk in a process of its own, to see how soon it answers from what another process has published."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import psutil

from rag.protocols import Embedder
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.retriever import Retriever
from rag.retrieval.vector_engine import engine_of
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace

_ASKED_EVERY_SECONDS = 0.02
_GIVE_UP_SECONDS = 120.0

OpenEmbedder = Callable[[Settings], Embedder]


@dataclass(frozen=True, slots=True)
class Opened:
    """How long it took to open the knowledge base, and by how many megabytes the process grew."""

    seconds: float
    megabytes: float


class Desk:
    """Asks the same question again and again until a text is in the first passage.  A context manager."""

    def __init__(self, settings: Settings, open_embedder: OpenEmbedder) -> None:
        context = multiprocessing.get_context("spawn")
        self._own, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, settings, open_embedder), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._own.send(None)
        self._process.join(_GIVE_UP_SECONDS)

    def opened(self) -> Opened:
        """Return what opening took, once."""
        found: Opened = self._own.recv()
        return found

    def ask(self, question: str, language: Language, text: str) -> None:
        """Let it ask from now on, until ``text`` is in the first passage."""
        self._own.send((question, language, text))

    def answered_at(self) -> float:
        """Return when that was, in seconds of ``time.time``.  Raises ``TimeoutError`` after two minutes."""
        if not self._own.poll(_GIVE_UP_SECONDS):
            raise TimeoutError("the desk has not seen the change")
        at: float = self._own.recv()
        return at


def _serve(pipe: Connection, settings: Settings, open_embedder: OpenEmbedder) -> None:
    embedder = open_embedder(settings)
    store = KnowledgeStore(settings.knowledge_dir)
    process = psutil.Process()
    before, began_at = process.memory_info().rss, time.perf_counter()
    view = GenerationView.open(store, store.require_generation(), embedder.model_id, engine=engine_of(settings))
    seconds = time.perf_counter() - began_at
    pipe.send(Opened(seconds, (process.memory_info().rss - before) / 1e6))
    del view
    retriever = Retriever(store, embedder, settings)
    while (asked := pipe.recv()) is not None:
        question, language, text = asked
        while True:
            chunks = retriever.retrieve(question, language, Trace()).chunks
            if chunks and text in chunks[0].chunk.text:
                break
            time.sleep(_ASKED_EVERY_SECONDS)
        pipe.send(time.time())
    store.close()
