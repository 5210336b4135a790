"""A streamed HTTP reply that another thread can end at once.

Ollama cancels a generation when its connection closes, and it sends no byte while it reads a long prompt.  Closing an
iterator that is blocked in ``recv`` is not possible from outside, and closing its socket does not wake it; shutting
the socket down does both.  httpx tells about new connections through its documented ``trace`` request extension:
https://www.python-httpx.org/advanced/extensions/#trace
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx

_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")


class AbortableConnection:
    """The connection of one request, once it exists."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    @property
    def is_cut(self) -> bool:
        """True after ``cut``: whatever error the reader met then is ours."""
        return self._is_cut

    def cut(self) -> None:
        """Shut the connection down, now or as soon as it is made; a second call does nothing."""
        with self._lock:
            self._is_cut = True
            self._shut()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take the socket out of httpx's report that a connection was made."""
        if event in _CONNECTED:
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._is_cut:
                    self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the other side was quicker
                self._socket.shutdown(socket.SHUT_RDWR)


class ConnectionRegister:
    """Finds the connection object of the request that a thread is making: httpx has no other place to pass it."""

    def __init__(self) -> None:
        self._local = threading.local()

    @contextmanager
    def using(self, connection: AbortableConnection) -> Iterator[None]:
        """Bind the requests of this thread to ``connection`` during a block."""
        self._local.connection = connection
        try:
            yield
        finally:
            self._local.connection = None

    def client_arguments(self) -> dict[str, Any]:
        """Return the arguments of an ``httpx.Client`` whose every request has a connection of its own."""
        return {"event_hooks": {"request": [self._bind]}, "limits": httpx.Limits(max_keepalive_connections=0)}

    def _bind(self, request: httpx.Request) -> None:
        connection: AbortableConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            request.extensions["trace"] = connection.trace
