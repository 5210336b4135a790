"""Vectors for the passages that have none yet, made in threads of their own while files are read and cut.

Passages of one length are embedded together, which wastes least on padding: they are sorted within windows.  The first
windows are small, so that the embedder has something to do soon.  Which passages share a batch depends on their order
alone, never on who was quicker.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

from rag.errors import EmbedderMismatch, IndexDamaged
from rag.protocols import Embedder, PassageVectors
from rag.storage.embeddings import EmbeddingTable, embedding_hash
from rag.storage.store import KnowledgeStore

FIRST_WINDOW = 128
LARGEST_WINDOW = 2048
"""Passages sorted together; a window has twice as many as the one before it until this is reached."""

_BATCH = 32  # passages a call of the embedder, and a transaction: at a kill no more is lost than this takes
_MOST_BATCHES_WAITING = 2 * LARGEST_WINDOW // _BATCH
_MORE_FOR_A_HELPER = 32  # batches: two of its jobs, and as many behind them
_LONGEST_WAIT_SECONDS = 20.0
"""How long an early end waits for the batches that are being embedded: 2 s on two idle cores, 16 s beside four busy
processes.  The interpreter aborts where OpenVINO is still at work."""

_SWEPT_AT_ONCE = 20_000  # chunks read from the store


def require_same_embedder(store: KnowledgeStore, embedder: Embedder) -> None:
    """Raise ``EmbedderMismatch`` where the current generation was embedded by another one.  The store is closed."""
    found = embedder_before(store)
    if found is not None and found != (embedder.model_id, embedder.dimension):
        raise EmbedderMismatch(found=f"{found[0]} [{found[1]}]", expected=f"{embedder.model_id} [{embedder.dimension}]")


def embedder_before(store: KnowledgeStore) -> tuple[str, int] | None:
    """Return the current generation's vector space and its dimension; None without one.  The store is closed."""
    try:
        current = store.current_generation()
        if current == 0:
            return None
        found = store.generation_info(current)
    finally:
        store.close()
    return found.embedder_model, found.dimension


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Passages that go through the embedder in one call: their hashes, their texts, and who waits for their vectors."""

    hashes: Sequence[bytes]
    texts: Sequence[str]
    vectors: Future[PassageVectors] = field(default_factory=Future)


class Backlog:
    """The batches that nobody has begun.  Threads of this process take the oldest, others the newest."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._batches)

    def put(self, batch: Batch) -> None:
        """Add a batch."""
        with self._changed:
            self._batches.append(batch)
            self._changed.notify()

    def put_back(self, batches: Iterable[Batch]) -> None:
        """Add batches that others had taken; they are waited for first."""
        with self._changed:
            self._batches.extendleft(reversed(list(batches)))
            self._changed.notify_all()

    def take(self) -> Batch | None:
        """Wait for the oldest batch and take it; None once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._is_closed)
            return None if self._is_closed else self._batches.popleft()

    def take_newest(self, count: int) -> list[Batch]:
        """Take up to so many of the newest batches, in their order."""
        with self._changed:
            taken = [self._batches.pop() for _ in range(min(count, len(self._batches)))]
        return taken[::-1]

    def close(self) -> None:
        """Give nobody anything more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class Helpers(Protocol):
    """Who embeds beside the threads of this process."""

    @property
    def count(self) -> int:
        """How many there are now."""

    @property
    def passages(self) -> Mapping[str, int]:
        """How many passages each of them has embedded, by its name."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Why some may help no more: keys of the reasons of ``WorkerRefused``, by their names."""

    def begin(self, backlog: Backlog) -> None:
        """Help with what is in the backlog, in a thread of its own."""

    def require_sound(self) -> None:
        """Raise what ended that thread, if anything."""

    def close(self) -> None:
        """Leave the rest alone."""


class NoHelpers:
    """Nobody."""

    count = 0
    passages: Mapping[str, int] = MappingProxyType({})
    refused: Mapping[str, str] = MappingProxyType({})

    def begin(self, backlog: Backlog) -> None:
        """Leave all of it to the threads of this process."""

    def require_sound(self) -> None:
        """Nothing can go wrong."""

    def close(self) -> None:
        """Nothing is to be left."""


class PassageEmbedding:
    """Embeds what it is offered and keeps it in the table; a context manager, because it owns ``threads`` threads.

    Passages of the same text are embedded once.  All writing is done in the caller's thread, by ``collect``, and by
    ``offer`` and ``finish``, which call it.  With ``anew`` vectors of former runs count for nothing and are
    replaced.  ``helpers`` are closed with it.
    """

    def __init__(
        self,
        table: EmbeddingTable,
        embedder: Embedder,
        *,
        anew: bool = False,
        threads: int = 1,
        helpers: Helpers | None = None,
    ) -> None:
        self._table = table
        self._embedder = embedder
        self._anew = anew
        self._backlog = Backlog()
        self.helpers: Helpers = helpers or NoHelpers()
        self.helpers.begin(self._backlog)
        self._threads = [
            threading.Thread(target=self._embed_given, name="embedding", daemon=True) for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()
        self._window = FIRST_WINDOW
        self._waiting: dict[bytes, str] = {}
        self._batches: deque[Batch] = deque()
        self._offered: set[bytes] = set()  # and not yet in the table; all of this run's with anew
        self.found = 0
        """How many distinct passages without a vector were offered."""
        self.done = 0
        """How many of them have their vector in the table."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for batch in self._batches:
            batch.vectors.cancel()
        self._backlog.close()
        self.helpers.close()
        latest = time.monotonic() + _LONGEST_WAIT_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))

    def offer(self, passages: Mapping[bytes, str]) -> None:
        """Take passages' texts by their ``embedding_hash``; ``make_room`` is to be consumed after it."""
        for _ in self.collect():
            pass
        unknown = [digest for digest in passages if digest not in self._offered]
        known = set() if self._anew else self._table.known(unknown)
        for digest in unknown:
            if digest not in known:
                self._offered.add(digest)
                self._waiting[digest] = passages[digest]
                self.found += 1
                if len(self._waiting) == self._window:
                    self._begin_window()

    def make_room(self) -> Iterator[int]:
        """Wait while the embedder is far behind; yield ``done`` after each batch."""
        while len(self._batches) > _MOST_BATCHES_WAITING + _MORE_FOR_A_HELPER * self.helpers.count:
            self._write_next()
            yield self.done

    def collect(self) -> Iterator[int]:
        """Write what has been embedded meanwhile; yield ``done`` after each batch."""
        while self._batches and self._batches[0].vectors.done():
            self._write_next()
            yield self.done

    def begin(self) -> None:
        """Let all that was offered be embedded, without waiting for it."""
        if self._waiting:
            self._begin_window()

    def finish(self) -> Iterator[int]:
        """Embed all that was offered; yield ``done`` after each batch."""
        self.begin()
        while self._batches:
            self._write_next()
            yield self.done

    def sweep(self, generation: int) -> Iterator[int]:
        """Embed the generation's passages that nobody offered and that have no vector; yield ``done`` as they come.

        Raises ``IndexDamaged`` where rows and their hashes disagree.
        """
        while chunks := self._table.missing(generation, _SWEPT_AT_ONCE):
            texts = {embedding_hash(chunk): chunk.embedded_text for chunk in chunks}
            if self._table.known(texts):  # a row's hash is not that of its text: its vector would never be found
                raise IndexDamaged(reason="a passage and its hash disagree")
            self.offer(texts)
            yield self.done
            yield from self.finish()

    def _begin_window(self) -> None:
        # bytes of UTF-8 go with tokens in both languages, characters do not
        texts = self._waiting
        ordered = sorted(texts, key=lambda digest: len(texts[digest].encode()), reverse=True)
        for begin in range(0, len(ordered), _BATCH):
            hashes = ordered[begin : begin + _BATCH]
            batch = Batch(hashes, [texts[digest] for digest in hashes])
            self._batches.append(batch)
            self._backlog.put(batch)
        self._waiting = {}
        self._window = min(2 * self._window, LARGEST_WINDOW)

    def _embed_given(self) -> None:
        """Run in an embedding thread: whatever happens here is handed to the thread that waits."""
        while (batch := self._backlog.take()) is not None:
            if not batch.vectors.set_running_or_notify_cancel():
                continue
            try:
                batch.vectors.set_result(self._embedder.embed_passages(batch.texts))
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                batch.vectors.set_exception(error)

    def _write_next(self) -> None:
        batch = self._batches.popleft()
        self.helpers.require_sound()
        self._table.add(batch.hashes, batch.vectors.result(), replace=self._anew)
        self.done += len(batch.hashes)
        if not self._anew:
            self._offered.difference_update(batch.hashes)
