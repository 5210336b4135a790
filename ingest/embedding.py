"""Embeds the passages that have no vector yet, in threads, while files are read and cut.

Passages of similar length are embedded together, to waste little on padding: they are sorted within windows.  The first
windows are small, so that the embedder starts soon.  Which passages share a batch depends only on their order, never on
timing.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

from ingest.embedding_share import Backlog, Batch, EmbeddingShare
from rag.errors import IndexDamaged
from rag.protocols import Embedder
from rag.storage.embeddings import EmbeddingTable, embedding_hash

FIRST_WINDOW = 128
LARGEST_WINDOW = 2048
"""Passages sorted together; a window has twice as many as the one before it until this is reached."""

_BATCH = 32  # passages a call of the embedder, and a transaction: at a kill no more is lost than this takes
_MOST_BATCHES_WAITING = 2 * LARGEST_WINDOW // _BATCH
_MORE_FOR_A_HELPER = 32  # batches: two of its jobs, and as many after them
_LONGEST_WAIT_SECONDS = 20.0
"""How long an early end waits for the batches that are being embedded: 2 s on two idle cores, 16 s beside four busy
processes.  The interpreter aborts where OpenVINO is still at work."""

_SWEPT_AT_ONCE = 20_000  # chunks read from the store


class PassageEmbedding:
    """Embeds passages and stores their vectors; a context manager, because it owns ``threads`` threads.

    Passages of the same text are embedded once.  All writing is done in the caller's thread, by ``collect``, and by
    ``offer`` and ``finish``, which call it.  With ``anew`` vectors of former runs count for nothing and are
    replaced.  ``helpers``, workers of other processes if there are any, are closed with it.
    """

    def __init__(
        self,
        table: EmbeddingTable,
        embedder: Embedder,
        *,
        anew: bool = False,
        threads: int = 1,
        helpers: EmbeddingShare | None = None,
    ) -> None:
        self._table = table
        self._embedder = embedder
        self._anew = anew
        self._backlog = Backlog()
        self.helpers = helpers
        if helpers is not None:
            helpers.begin(self._backlog)
        self._threads = [
            threading.Thread(target=self._embed_batches, name="embedding", daemon=True) for _ in range(threads)
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
        if self.helpers is not None:
            self.helpers.close()
        latest = time.monotonic() + _LONGEST_WAIT_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, latest - time.monotonic()))

    @property
    def helper_count(self) -> int:
        """How many workers help now."""
        return 0 if self.helpers is None else self.helpers.count

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
        while len(self._batches) > _MOST_BATCHES_WAITING + _MORE_FOR_A_HELPER * self.helper_count:
            self._write_next()
            yield self.done

    def collect(self) -> Iterator[int]:
        """Write the vectors that are ready; yield ``done`` after each batch."""
        while self._batches and self._batches[0].vectors.done():
            self._write_next()
            yield self.done

    def begin(self) -> None:
        """Start embedding everything offered, without waiting for it."""
        if self._waiting:
            self._begin_window()

    def finish(self) -> Iterator[int]:
        """Embed all that was offered; yield ``done`` after each batch."""
        self.begin()
        while self._batches:
            self._write_next()
            yield self.done

    def sweep(self, generation: int) -> Iterator[int]:
        """Embed the generation's passages that were not offered and have no vector; yield ``done`` as they come.

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

    def _embed_batches(self) -> None:
        """Run in an embedding thread; errors are raised in the thread that waits."""
        while (batch := self._backlog.take()) is not None:
            if not batch.vectors.set_running_or_notify_cancel():
                continue
            try:
                batch.vectors.set_result(self._embedder.embed_passages(batch.texts))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                batch.vectors.set_exception(error)

    def _write_next(self) -> None:
        batch = self._batches.popleft()
        if self.helpers is not None:
            self.helpers.require_sound()
        self._table.add(batch.hashes, batch.vectors.result(), replace=self._anew)
        self.done += len(batch.hashes)
        if not self._anew:
            self._offered.difference_update(batch.hashes)
