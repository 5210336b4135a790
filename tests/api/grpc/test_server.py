"""gRPC: where it listens, how it is described, and which code an error has."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from itertools import pairwise
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import rag.errors
from api.access import Access
from api.addresses import GrpcAddress
from api.callers import Callers
from api.grpc import answerdesk_pb2 as wire
from api.grpc.answerdesk_pb2_grpc import AnswersStub
from api.grpc.calls import code_of
from api.grpc.server import serving
from api.idempotency import IdempotentRequests
from api.services.start import open_people
from rag.errors import AnswerdeskError, CertificateNeeded, CertificateUnusable, ExtraMissing, PortTaken
from rag.settings import Settings
from tests.support.protocol import CHECKOUT, GENERATED, generate

pytestmark = pytest.mark.slow

WORDS = "what a customer wrote"


# what is committed


def test_the_generated_code_is_what_the_description_makes(tmp_path: Path) -> None:
    assert generate(tmp_path) == 0
    for name in GENERATED:
        assert (tmp_path / name).read_bytes() == (CHECKOUT / name).read_bytes(), f"{name}: run make protocol"


def test_everything_in_the_description_is_explained() -> None:
    lines = (CHECKOUT / "api/grpc/answerdesk.proto").read_text(encoding="utf-8").splitlines()
    body = lines[next(at for at, line in enumerate(lines) if line.startswith("option")) :]
    starts = ("service ", "rpc ", "message ", "enum ", "oneof ", "optional ", "repeated ", "string ", "bool ", "int")
    starts += ("uint", "double ", "bytes ", "QUOTE_", "Passage ", "Answer ", "Words ", "Problem ", "Sentence ")
    for before, line in pairwise(body):
        if line.strip().startswith(starts):
            assert before.strip().startswith("//"), line


def _errors(root: type[AnswerdeskError] = AnswerdeskError) -> Iterator[type[AnswerdeskError]]:
    yield root
    for below in root.__subclasses__():
        if below.__module__ == rag.errors.__name__:
            yield from _errors(below)


@pytest.mark.parametrize("kind", list(_errors()), ids=lambda kind: kind.__name__)
def test_every_error_has_a_code(kind: type[AnswerdeskError]) -> None:
    assert code_of(kind) not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)


def test_only_what_passes_is_tried_again_by_clients() -> None:
    again = {kind.__name__ for kind in _errors() if code_of(kind) is grpc.StatusCode.UNAVAILABLE}
    assert {"QueueFull", "WaitedTooLong", "OllamaUnavailable", "ModelTimedOut"} <= again
    assert not again & {"KnowledgeBaseMissing", "IndexDamaged", "ModelMissing", "ModelTooLarge", "EmbedderMissing"}


# where it listens


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    idempotent = IdempotentRequests(tmp_path / "requests.db")

    people = open_people(Settings(data_dir=tmp_path, sign_in="off"))

    def never() -> object:
        raise RuntimeError(WORDS)

    yield Access(never, Callers(lambda: people, lambda host: False), idempotent)  # type: ignore[arg-type]
    idempotent.close()


def test_a_port_that_is_taken_is_not_shared(access: Access) -> None:
    async def twice() -> None:
        async with serving(access, GrpcAddress("127.0.0.1", 0)) as port:
            with pytest.raises(PortTaken):
                async with serving(access, GrpcAddress("127.0.0.1", port)):
                    pass

    asyncio.run(twice())


async def _reason(channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> tuple[str, str]:
    call = AnswersStub(channel).Retrieve(wire.RetrieveRequest(question="?"), metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await call
    return ended.value.code().name, ended.value.details()


def test_without_people_this_machine_needs_no_key_but_a_proxy_does(
    access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> tuple[tuple[str, str], ...]:
        async with (
            serving(access, GrpcAddress("127.0.0.1", 0)) as port,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            word, proxy = ("authorization", "Bearer ad_..."), ("x-forwarded-for", "10.0.0.7")
            return tuple([await _reason(channel, given) for given in ((), (word,), (proxy,), (word, proxy))])

    (let_in, sentence), (with_word, _), (code, _), (with_both, _) = asyncio.run(ask())
    assert (with_word, with_both) == (let_in, code)  # no key was ever made, so any word is none
    assert (let_in, code) == ("INTERNAL", "UNAUTHENTICATED")  # the services raise what nobody foresaw
    assert WORDS not in sentence + caplog.text
    assert "no. " in sentence


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    return certificate, key


@pytest.mark.real
def test_with_a_certificate_it_is_encrypted(access: Access, certificate: tuple[Path, Path]) -> None:
    async def check() -> int:
        address = GrpcAddress("127.0.0.1", 0, *certificate)
        address.require_usable()
        trusted = grpc.ssl_channel_credentials(certificate[0].read_bytes())
        async with (
            serving(access, address) as port,
            grpc.aio.secure_channel(f"localhost:{port}", trusted) as channel,
        ):
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            return int(answer.status)

    assert asyncio.run(check()) == health_pb2.HealthCheckResponse.SERVING


def test_other_machines_need_a_certificate() -> None:
    with pytest.raises(CertificateNeeded) as refused:
        GrpcAddress("0.0.0.0", 8601).require_usable()
    assert "0.0.0.0" in refused.value.text("zh")
    GrpcAddress("::1", 8601).require_usable()


def test_a_certificate_without_its_key_or_that_is_none_is_refused(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for pair in ((nonsense, None), (None, nonsense), (nonsense, nonsense), (tmp_path / "no", tmp_path / "no")):
        with pytest.raises(CertificateUnusable):
            GrpcAddress("0.0.0.0", 8601, *pair).require_usable()


def test_without_the_packages_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr("api.addresses.find_spec", lambda name: None if name == "grpc_status" else find(name))
    with pytest.raises(ExtraMissing) as refused:
        GrpcAddress("127.0.0.1", 8601).require_usable()
    assert "pip install 'answerdesk[grpc]'" in refused.value.text("en")


@pytest.mark.real
def test_the_api_needs_no_grpc_and_no_mcp() -> None:
    blocked = "import sys; [sys.modules.__setitem__(name, None) for name in ('grpc', 'mcp', 'mcp_types')]; "
    subprocess.run([sys.executable, "-c", f"{blocked}import api.application, api.__main__, ui.server"], check=True)
