"""gRPC: questions, answers and who may ask, by the official stubs over a real socket."""

import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from api.grpc import answerdesk_pb2 as wire
from api.grpc import values
from rag.schema import Audience, Evidence, TextSpan
from rag.turns.snapshot import FINAL_STATES
from tests.api.grpc.channel import METHODS, SERVICES, GrpcFace, refused
from tests.api.offline_server import QUESTION
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SENTENCE = "You can send back any item within 30 days of delivery."
SOON = 5.0  # seconds, on a busy machine; alone it is 0.02, and nothing else would end it


def ask(question: str = QUESTION, **options: Any) -> wire.AskRequest:
    return wire.AskRequest(question=question, fresh=True, **options)


# answers


def test_an_answer_comes_step_by_step_and_ends_with_its_citations(face: GrpcFace) -> None:
    face.api.model.say("You can send back any item ", "within 30 days of delivery.")
    events = list(face.answers.Ask(ask(think=True), metadata=face.key("ask")))
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[0] == "retrieved"
    assert kinds[-1] == "completed"
    assert set(kinds) <= {"retrieved", "queued", "thinking", "draft", "completed"}
    assert len({event.turn_id for event in events}) == 1
    assert any(one.document_id == "returns.md" for one in events[0].retrieved.evidence)
    answer = events[-1].completed
    assert (answer.text, answer.refused, answer.knowledge_base, answer.model) == (
        SENTENCE,
        False,
        "default",
        "scripted",
    )
    assert answer.thinking == "Looking at the first passage."
    [citation] = answer.citations
    assert answer.text[citation.start : citation.end] == SENTENCE
    assert (citation.document_id, citation.quote) == ("returns.md", SENTENCE)
    assert (answer.prompt_tokens, answer.generated_tokens) == (50, 9)


def test_a_refusal_is_an_answer_and_no_error(face: GrpcFace) -> None:
    face.api.model.say("The moon is made of cheese.")
    *_, last = face.answers.Ask(ask(), metadata=face.key("ask"))
    assert last.WhichOneof("event") == "refusal"
    assert last.refusal.refused
    assert "cheese" not in last.refusal.text


@pytest.mark.parametrize("audience", ["internal", "public"])
def test_a_customer_is_told_no_draft(face: GrpcFace, audience: Audience) -> None:
    face.api.model.say(f"{SENTENCE} The moon is made of cheese. It", " is.", held=True)
    drafts = ""
    for event in face.answers.Ask(ask(), metadata=face.key("ask", audience=audience)):
        drafts += event.draft.text
        if drafts:
            face.api.model.gate.set()
    assert ("cheese" in drafts) == (audience == "internal")
    assert drafts.startswith(SENTENCE)


def test_passages_come_without_a_model(face: GrpcFace) -> None:
    face.api.model.say(held=True)
    found = face.answers.Retrieve(wire.RetrieveRequest(question=QUESTION), metadata=face.key("retrieve"))
    assert (found.knowledge_base, found.generation) == ("default", 1)
    assert 0 < found.answerable_probability <= 1
    best = found.evidence[0]
    assert (best.document_id, best.updated_on, best.number) == ("returns.md", "2026-04-01", 1)


def test_a_batch_answers_each_by_its_own_id_and_goes_on_after_a_problem(face: GrpcFace) -> None:
    questions = [wire.BatchRequest(id=f"q{number}", question=ask(f"{QUESTION} {number}")) for number in range(6)]
    questions.insert(2, wire.BatchRequest(id="empty", question=ask("")))
    questions.append(wire.BatchRequest(id="foreign", question=ask(knowledge_base="finance")))
    questions.append(wire.BatchRequest(id="follows", question=ask(follows="nope")))
    answers = {one.id: one for one in face.answers.Batch(iter(questions), metadata=face.key("ask"))}
    assert set(answers) == {"empty", "foreign", "follows", *(f"q{number}" for number in range(6))}
    assert all(answers[f"q{number}"].answer.text == SENTENCE for number in range(6))
    assert answers["empty"].problem.code == "QuestionEmpty"
    assert answers["foreign"].problem.code == "AccessDenied"
    assert answers["follows"].problem.code == "TurnMissing"
    assert answers["foreign"].problem.sentence.en
    assert answers["foreign"].problem.sentence.zh


def test_a_batch_reads_no_more_questions_than_it_answers_and_is_stopped_as_a_whole(face: GrpcFace) -> None:
    face.api.model.say("a", held=True)
    key = face.key("ask")
    questions = (wire.BatchRequest(id=str(number), question=ask(f"{QUESTION} {number}")) for number in range(50))
    call = face.answers.Batch(questions, metadata=key)
    until(lambda: face.api.model.answering > 0)
    time.sleep(0.3)
    asked = face.api.services.turns.history(None, limit=200)
    assert sum(turn.state not in FINAL_STATES for turn in asked) == 4
    call.cancel()
    assert until(lambda: face.api.model.answering == 0) < SOON


# what ends a turn


def test_a_cancelled_call_frees_the_slot(face: GrpcFace) -> None:
    face.api.model.say("You can", " send", held=True)
    call = face.answers.Ask(ask(), metadata=face.key("ask"))
    until(lambda: face.api.model.answering == 1)
    call.cancel()
    assert until(lambda: face.api.model.answering == 0) < SOON


def test_a_deadline_frees_the_slot(face: GrpcFace) -> None:
    face.api.model.say("You can", " send", held=True)
    started_at = time.monotonic()
    with pytest.raises(grpc.RpcError) as ended:
        list(face.answers.Ask(ask(), metadata=face.key("ask"), timeout=1.0))
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: face.api.model.answering == 0)
    assert time.monotonic() - started_at < 1.0 + SOON


def test_a_client_that_is_gone_frees_the_slot(face: GrpcFace) -> None:
    face.api.model.say("You can", " send", held=True)
    with grpc.insecure_channel(f"127.0.0.1:{face.port}") as channel:
        call = GrpcFace(face.api, channel, face.port).answers.Ask(ask(), metadata=face.key("ask"))
        until(lambda: face.api.model.answering == 1)
        assert call.is_active()
    assert until(lambda: face.api.model.answering == 0) < SOON


def test_a_call_that_is_cancelled_at_once_leaves_no_turn(face: GrpcFace) -> None:
    face.api.model.say("You can", " send", held=True)
    key = face.key("ask")
    for step in range(40):  # somewhere on its way
        call = face.answers.Ask(ask(f"{QUESTION} {step}"), metadata=key)
        time.sleep(step / 4000)
        call.cancel()
    time.sleep(0.5)
    assert until(lambda: face.api.model.answering == 0) < SOON


def test_searches_that_are_cancelled_leave_the_threads_to_the_next_ones(face: GrpcFace) -> None:
    key, request = face.key("retrieve"), wire.RetrieveRequest(question=QUESTION)
    for milliseconds in range(20):  # somewhere on its way
        call = face.answers.Retrieve.future(request, metadata=key)
        time.sleep(milliseconds / 1000)
        call.cancel()
    for _ in range(3):
        found = _patient(lambda: face.answers.Retrieve(request, metadata=key, timeout=10))
        assert found.evidence


def _patient(call: Callable[[], Any]) -> Any:
    """Call until the line has room."""
    for _ in range(100):
        try:
            return call()
        except grpc.RpcError as error:
            assert refused(error).reason == "OwnQueueFull"
            time.sleep(0.05)
    raise AssertionError("the line has no room")


# who may


@pytest.mark.parametrize("path", METHODS)
def test_no_method_answers_without_a_key_where_people_sign_in(face: GrpcFace, path: str) -> None:
    with pytest.raises(grpc.RpcError) as ended:
        face.call(path)
    found = refused(ended.value)
    assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "KeyNeeded")
    assert found.en != found.zh


@pytest.mark.parametrize("path", METHODS)
def test_no_method_answers_a_key_that_opens_nothing(face: GrpcFace, path: str) -> None:
    with pytest.raises(grpc.RpcError) as ended:
        face.call(path, [("x-api-key", "ad_nothing")])
    assert refused(ended.value).reason == "ApiKeyRefused"


@pytest.mark.parametrize("path", METHODS)
def test_no_method_answers_a_key_without_its_right(face: GrpcFace, path: str) -> None:
    with pytest.raises(grpc.RpcError) as ended:
        face.call(path, face.key("metrics"))
    found = refused(ended.value)
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "RightMissing")


def _named(base: str) -> list[tuple[str, object]]:
    return [
        ("/answerdesk.v1.Answers/Ask", ask(knowledge_base=base)),
        ("/answerdesk.v1.Answers/Retrieve", wire.RetrieveRequest(question=QUESTION, knowledge_base=base)),
        ("/answerdesk.v1.Documents/List", wire.ListDocumentsRequest(knowledge_base=base)),
        ("/answerdesk.v1.Documents/Get", wire.GetDocumentRequest(knowledge_base=base, document_id="x")),
        (
            "/answerdesk.v1.Documents/Put",
            wire.PutDocumentRequest(file=wire.PutDocumentRequest.File(knowledge_base=base, name="x.md")),
        ),
        ("/answerdesk.v1.Documents/Ingest", wire.IngestRequest(knowledge_base=base)),
    ]


@pytest.mark.parametrize("number", range(6), ids=[path for path, _ in _named("")])
def test_a_key_of_another_knowledge_base_learns_nothing(face: GrpcFace, number: int) -> None:
    def answered(base: str) -> tuple[grpc.StatusCode, str, str]:
        path, request = _named(base)[number]
        with pytest.raises(grpc.RpcError) as ended:
            face.call(path, face.key(), request)
        found = refused(ended.value)
        return found.code, found.reason, found.en.replace(base, "...")

    there, nowhere = answered("finance"), answered("nowhere")
    assert there == nowhere
    assert there[:2] == (grpc.StatusCode.PERMISSION_DENIED, "AccessDenied")


@pytest.mark.parametrize("number", range(6), ids=[path for path, _ in _named("")])
def test_what_is_no_name_of_a_knowledge_base_is_told_as_such(face: GrpcFace, number: int) -> None:
    path, request = _named("../N")[number]
    with pytest.raises(grpc.RpcError) as ended:
        face.call(path, face.key(), request)
    found = refused(ended.value)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "RequestUnusable")
    assert "knowledge_base: must be made of a-z" in found.en


def test_the_walk_knows_every_method() -> None:
    assert sorted(SERVICES) == ["Answers", "Documents", "Feedback"]
    assert len(METHODS) == 8


# errors


def test_an_error_says_it_in_both_languages_and_first_in_the_callers(face: GrpcFace) -> None:
    key = [*face.key("ask"), ("accept-language", "zh-CN")]
    with pytest.raises(grpc.RpcError) as ended:
        list(face.answers.Ask(ask(""), metadata=key))
    found = refused(ended.value)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "QuestionEmpty")
    assert found.message == found.zh != found.en
    with pytest.raises(grpc.RpcError) as ended:
        list(face.answers.Ask(ask(follows="nope"), metadata=key))
    found = refused(ended.value)
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "TurnMissing")


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("content", [b"\xff\xff\xff", b"\x0a\x02\xc3\x28"], ids=["no fields", "no UTF-8"])
def test_bytes_that_are_no_message_are_told_as_such(face: GrpcFace, path: str, content: bytes) -> None:
    class Broken:
        def SerializeToString(self) -> bytes:
            return content

    with pytest.raises(grpc.RpcError) as ended:
        face.call(path, face.key(), Broken())
    told = refused(ended.value)
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "RequestUnusable")
    assert "message" in told.message


def test_a_way_to_quote_that_there_is_not_is_refused(face: GrpcFace) -> None:
    with pytest.raises(grpc.RpcError) as ended:
        face.call("/answerdesk.v1.Answers/Ask", face.key(), wire.AskRequest(question=QUESTION, quote=99))
    told = refused(ended.value)
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "RequestUnusable")
    assert "QUOTE_ONLY" in told.message


def test_an_error_that_passes_says_when_to_try_again(face: GrpcFace) -> None:
    key = face.key("ask", pace=1)
    list(face.answers.Ask(ask(), metadata=key))
    error = refused(face.answers.Ask(ask(), metadata=key))
    assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 1 <= error.retry_seconds <= 60


# what tools of gRPC ask for


def test_health_says_that_every_service_serves(face: GrpcFace) -> None:
    health = health_pb2_grpc.HealthStub(face.channel)
    for name in ("", *(service.full_name for service in SERVICES.values())):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_describes_every_service(face: GrpcFace) -> None:
    database = ProtoReflectionDescriptorDatabase(face.channel)
    assert set(database.get_services()) >= {service.full_name for service in SERVICES.values()}
    described = database.FindFileContainingSymbol("answerdesk.v1.Answers")
    assert described.package == "answerdesk.v1"


def test_a_passage_says_where_it_names_what_nobody_has_confirmed() -> None:
    text = "Write to pay@evil.example."
    spans = (TextSpan(109, 125),)
    found = Evidence(1, "a", "a.md", "A", (), text, 100, 126, 100, 126, "en", quoted=spans, unconfirmed=spans)
    assert [(one.start, one.end) for one in values.passage(found).unconfirmed] == [(109, 125)]
