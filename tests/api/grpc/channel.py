"""A client's side of gRPC: stubs, metadata, and errors with their details."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, LocalizedMessage, RetryInfo
from grpc_status import rpc_status

from api.grpc import answerdesk_pb2 as wire
from api.grpc.answerdesk_pb2_grpc import AnswersStub, DocumentsStub, FeedbackStub
from rag.people.keys import Right
from tests.api.offline_server import OfflineServer

Metadata = Sequence[tuple[str, str]]
SERVICES = wire.DESCRIPTOR.services_by_name
METHODS = [f"/{service.full_name}/{method.name}" for service in SERVICES.values() for method in service.methods]


@dataclass
class GrpcFace:
    """A served gRPC face."""

    api: OfflineServer
    channel: grpc.Channel
    port: int

    @property
    def answers(self) -> Any:
        return AnswersStub(self.channel)

    @property
    def documents(self) -> Any:
        return DocumentsStub(self.channel)

    @property
    def feedback(self) -> Any:
        return FeedbackStub(self.channel)

    def key(self, *rights: Right, **options: Any) -> Metadata:
        """Make a key and return the metadata that brings it."""
        return [("authorization", self.api.key(*rights, **options)["Authorization"])]

    def call(self, path: str, metadata: Metadata = (), request: object = None) -> Any:
        """Call a method by its path with one empty request, or ``request``, and return all that comes."""
        method = next(
            method
            for service in SERVICES.values()
            for method in service.methods
            if path == f"/{service.full_name}/{method.name}"
        )
        kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
        message = request if request is not None else getattr(wire, method.input_type.name)()
        multi = getattr(self.channel, kind)(
            path,
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=getattr(wire, method.output_type.name).FromString,
        )
        answer = multi(iter([message]) if method.client_streaming else message, metadata=metadata, timeout=20)
        return list(answer) if method.server_streaming else answer


@dataclass(frozen=True)
class Refused:
    """What a call was refused with."""

    code: grpc.StatusCode
    message: str
    reason: str
    en: str
    zh: str
    retry_seconds: int | None


def refused(error: grpc.RpcError) -> Refused:
    """Return an error with its details."""
    status = rpc_status.from_call(error)
    assert status is not None, error
    info, retry, sentences = ErrorInfo(), RetryInfo(), {}
    seconds = None
    for detail in status.details:
        sentence = LocalizedMessage()
        if detail.Unpack(sentence):
            sentences[sentence.locale] = sentence.message
        if detail.Unpack(retry):
            seconds = retry.retry_delay.seconds
        detail.Unpack(info)
    assert info.domain == "answerdesk"
    return Refused(error.code(), status.message, info.reason, sentences["en"], sentences["zh"], seconds)
