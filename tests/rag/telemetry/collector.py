"""A collector on 127.0.0.1 that keeps what is posted."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.local_server import LocalServer

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # each process has a random one as its name


class Collector(LocalServer):
    """Answers every request with ``status``."""

    def __init__(self, status: int = 200) -> None:
        self.posted: list[tuple[str, bytes]] = []
        self.status = status
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.posted.append((self.path, body))
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler)

    def requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for _, body in self.posted]

    def texts(self) -> list[str]:
        """Every string in what was posted, names too; ids and times are left out: their bytes spell anything."""
        return [text for request in self.requests() for text in _texts(request) if not _UUID.fullmatch(text)]

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def _texts(message: Message) -> Iterator[str]:
    for _, value in message.ListFields():
        for one in [value] if isinstance(value, (str, bytes, Message, int, float)) else value:
            if isinstance(one, Message):
                yield from _texts(one)
            elif isinstance(one, str):
                yield one
