"""OpenAI's wire: what its official clients read, over a scripted model and real sockets."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from openai import APIError, AuthenticationError, BadRequestError, NotFoundError, OpenAI

from api.openai.routes import errand_reply
from rag.protocols import PassageVectors
from rag.testing import HashEmbedder
from rag.turns import TurnService
from tests.api.offline_server import QUESTION, OfflineServer
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SENTENCE = "You can send back any item within 30 days of delivery."
MODEL = "answerdesk/default"


_opened: list[OpenAI] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def client(api: OfflineServer, headers: dict[str, str] | None = None) -> OpenAI:
    given = api.key() if headers is None else headers
    _opened.append(OpenAI(base_url=f"{api.url}/v1", api_key=given["Authorization"].split()[1], max_retries=0))
    return _opened[-1]


def asked(text: Any = QUESTION) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_an_answer_brings_its_citations_where_the_clients_look(api: OfflineServer) -> None:
    reply = client(api).chat.completions.create(model=f"{MODEL}:fresh", messages=asked(), temperature=0.3, seed=1)
    message = reply.choices[0].message
    assert message.content == SENTENCE
    assert reply.choices[0].finish_reason == "stop"
    assert message.annotations is not None
    [annotation] = message.annotations
    cited = annotation.url_citation
    assert (message.content[cited.start_index : cited.end_index], cited.title) == (SENTENCE, "Returning an order")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (50, 9, 59)
    vendor = reply.model_extra["answerdesk"] if reply.model_extra else {}
    assert vendor["refused"] is False
    assert vendor["ignored"] == ["temperature", "seed"]
    assert vendor["citations"][0]["quote"] == SENTENCE
    assert vendor["citations"][0]["heading"] == ""
    with api.client(api.key()) as http:  # the link leads to the very words
        assert http.get(cited.url).json()["text"] == SENTENCE


def test_a_stream_tells_the_words_then_the_citations_then_the_end(api: OfflineServer) -> None:
    stream = client(api).chat.completions.create(
        model=f"{MODEL}:think", messages=asked(), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == SENTENCE
    extras = [delta.model_extra or {} for delta in deltas]
    assert "".join(one.get("reasoning_content", "") for one in extras) == "Looking at the first passage."
    assert [one["annotations"][0]["url_citation"]["end_index"] for one in extras if "annotations" in one] == [
        len(SENTENCE)
    ]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 9
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_absent_stream_is_false_and_what_is_no_boolean_is_refused(api: OfflineServer) -> None:
    with api.client(api.key()) as http:
        whole = http.post("/v1/chat/completions", json={"model": MODEL, "messages": asked()})
        assert whole.headers["content-type"] == "application/json"
        refused = http.post("/v1/chat/completions", json={"model": MODEL, "messages": asked(), "stream": 0})
    assert refused.status_code == 422
    assert refused.json()["error"]["param"] == "body.stream"
    assert refused.json()["error"]["code"] == "RequestUnusable"


@pytest.mark.parametrize(
    ("path", "body", "param", "sentence"),
    [
        ("embeddings", {"input": ["x"] * 257}, "body.input", "must have at most 256 entries"),
        ("embeddings", {"input": []}, "body.input", "must have at least 1 entry"),
        ("embeddings", {"input": ""}, "body.input", "must have at least 1 character"),
        ("embeddings", {"input": ["x", 5]}, "body.input.1", "must be a text"),
        ("embeddings", {"input": 5}, "body.input", "must be a text"),
        ("embeddings", {}, "body.input", "is missing"),
        ("responses", {"input": []}, "body.input", "must have at least 1 entry"),
        (
            "responses",
            {"input": [{"role": "user", "content": "?"}, {"role": "user", "content": [{"text": "?"}]}]},
            "body.input.1.content.0.type",
            "is missing",
        ),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            "body.messages.0.content.0.text",
            "must be a text",
        ),
        ("chat/completions", {"messages": [{"role": "no", "content": 5}]}, "body.messages.0.role", "must be one of"),
    ],
)
def test_of_a_field_with_several_types_the_one_that_was_meant_is_told(
    api: OfflineServer, path: str, body: dict[str, object], param: str, sentence: str
) -> None:
    with api.client(api.key("ask", "retrieve")) as http:
        refused = http.post(f"/v1/{path}", json={"model": MODEL} | body)
    told = refused.json()["error"]
    assert (refused.status_code, told["param"]) == (422, param)
    assert told["message"].startswith(f"The request cannot be processed: {param}: {sentence}"), told


def test_a_method_that_a_path_does_not_take_is_the_callers_mistake(api: OfflineServer) -> None:
    with api.client(api.key()) as http:
        refused = http.delete("/v1/models")
    assert (refused.status_code, refused.json()["error"]["type"]) == (405, "invalid_request_error")
    assert refused.json()["error"]["code"] == "MethodNotAllowed"


def test_the_paths_without_v1_answer_too(api: OfflineServer) -> None:
    with api.client(api.key()) as http:
        body = {"model": "answerdesk", "messages": asked()}
        assert http.post("/chat/completions", json=body).json()["choices"][0]["message"]["content"] == SENTENCE
        assert http.get("/models").json()["data"][0]["id"] == MODEL


def test_only_sentences_that_stand_are_told_before_the_end(api: OfflineServer) -> None:
    """A draft that is replaced by a refusal never reaches a program that cannot take it back."""
    api.model.say("You get a free car with every order. ", "It is red and fast.")
    stream = client(api).chat.completions.create(model=f"{MODEL}:fresh", messages=asked(), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert "car" not in text
    assert text  # the refusal, which is an answer


def test_a_supported_sentence_is_told_while_the_model_still_writes(api: OfflineServer) -> None:
    api.model.say(f"{SENTENCE} The return label", " is free in the UK.", held=True)
    stream = client(api).chat.completions.create(model=f"{MODEL}:fresh", messages=asked(), stream=True)
    heard = ""
    for chunk in stream:
        heard += chunk.choices[0].delta.content or "" if chunk.choices else ""
        if heard == SENTENCE:
            api.model.gate.set()
    assert heard == f"{SENTENCE} The return label is free in the UK."


def test_responses_whole_and_streamed(api: OfflineServer) -> None:
    openai = client(api)
    whole = openai.responses.create(model=f"{MODEL}:fresh", input=QUESTION)
    content: Any = whole.output[-1]
    assert whole.output_text == SENTENCE
    assert content.content[0].annotations[0].title == "Returning an order"
    again = openai.responses.retrieve(whole.id)
    assert again.output_text == SENTENCE
    with openai.responses.stream(model=f"{MODEL}:fresh", input=asked()) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == SENTENCE
    assert kinds == [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_conversation_goes_on_from_its_earlier_questions(api: OfflineServer) -> None:
    openai = client(api)
    messages: list[Any] = [
        {"role": "system", "content": "Be rude."},
        *asked("How do I descale the Ember K2 kettle?"),
        {"role": "assistant", "content": "With citric acid."},
        *asked("And how long do I wait?"),
    ]
    reply = openai.chat.completions.create(model=f"{MODEL}:quote", messages=messages)
    assert "citric acid" in (reply.choices[0].message.content or "")
    first = openai.responses.create(model=MODEL, input="How do I descale the Ember K2 kettle?")
    second = openai.responses.create(model=f"{MODEL}:quote", input="And how long?", previous_response_id=first.id)
    assert "citric acid" in second.output_text


def test_models_are_the_callers_own_knowledge_bases(api: OfflineServer) -> None:
    openai = client(api)
    assert [model.id for model in openai.models.list()] == [MODEL, "answerdesk-embedder"]
    assert openai.models.retrieve(MODEL).id == MODEL
    for name in ("answerdesk/finance", "answerdesk/nowhere", "gpt-4o", f"{MODEL}:loud"):
        with pytest.raises(NotFoundError) as refused:
            openai.chat.completions.create(model=name, messages=asked())
        assert refused.value.code == "ModelUnknown"


def test_embeddings_in_both_encodings(api: OfflineServer) -> None:
    openai = client(api)
    by_default = openai.embeddings.create(model="answerdesk-embedder", input=["one text", "另一段"])
    plain = openai.embeddings.create(model="answerdesk-embedder", input="one text", encoding_format="float")
    assert by_default.data[0].embedding == pytest.approx(plain.data[0].embedding)
    assert len(by_default.data) == 2


@pytest.mark.parametrize(
    ("language", "sentence"), [("en", "dimensions must be {own}, or"), ("zh", "只能是 {own} 或省略")]
)
def test_vectors_of_another_length_are_refused(api: OfflineServer, language: str, sentence: str) -> None:
    body = {"model": "answerdesk-embedder", "input": "one text"}
    with api.client(api.key("retrieve")) as http:
        own = len(http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"])
        assert http.post("/v1/embeddings", json=body | {"dimensions": own}).status_code == 200
        headers = {"Accept-Language": language}
        refused = http.post("/v1/embeddings", json=body | {"dimensions": own - 1}, headers=headers)
    assert refused.status_code == 422
    assert sentence.format(own=own) in refused.json()["error"]["message"]


def test_embeddings_spend_the_keys_questions(api: OfflineServer) -> None:
    with api.client(api.key("retrieve", pace=2)) as http:
        body = {"model": "answerdesk-embedder", "input": ["one text", "another"]}
        answers = [http.post("/v1/embeddings", json=body) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[-1].json()["error"]["code"] == "QuestionsTooFast"
    assert answers[0].json()["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_embeddings_are_made_in_batches_by_the_threads_that_search(
    api: OfflineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop, which all callers share, counts and embeds nothing."""
    batches: list[int] = []
    counted: list[str] = []
    embed, count = HashEmbedder.embed_passages, HashEmbedder.count_tokens

    def embed_passages(self: HashEmbedder, texts: Sequence[str]) -> PassageVectors:
        batches.append(len(texts))
        counted.append(threading.current_thread().name)
        return embed(self, texts)

    def count_tokens(self: HashEmbedder, text: str) -> int:
        counted.append(threading.current_thread().name)
        return count(self, text)

    monkeypatch.setattr(HashEmbedder, "embed_passages", embed_passages)
    monkeypatch.setattr(HashEmbedder, "count_tokens", count_tokens)
    texts = [f"text number {number}" for number in range(20)]
    found = client(api).embeddings.create(model="answerdesk-embedder", input=texts)
    assert batches == [8, 8, 4]
    assert len(counted) == 23
    assert all(name.startswith("search") for name in counted), set(counted)
    assert [one.index for one in found.data] == list(range(20))
    assert found.usage.prompt_tokens == 60
    alone = client(api).embeddings.create(model="answerdesk-embedder", input=texts[17])
    assert found.data[17].embedding == alone.data[0].embedding


def test_a_key_that_embeds_leaves_the_others_their_searches(
    api: OfflineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, embed, begun = threading.Event(), HashEmbedder.embed_passages, []

    def embed_passages(self: HashEmbedder, texts: Sequence[str]) -> PassageVectors:
        begun.append(len(texts))
        assert gate.wait(timeout=10)
        return embed(self, texts)

    taken, work = [], TurnService.work

    def counted_work(self: TurnService, owner: str, work_: Callable[[], Any], *, is_continuation: bool) -> Future[Any]:
        future = work(self, owner, work_, is_continuation=is_continuation)
        taken.append(owner)
        return future

    monkeypatch.setattr(HashEmbedder, "embed_passages", embed_passages)
    monkeypatch.setattr(TurnService, "work", counted_work)
    body = {"model": "answerdesk-embedder", "input": ["held"] * 16}
    with (
        api.client(api.key("retrieve")) as flooder,
        api.client(api.key("retrieve")) as other,
        ThreadPoolExecutor(6) as threads,
    ):
        held = [threads.submit(flooder.post, "/v1/embeddings", json=body) for _ in range(6)]
        until(lambda: len(taken) == 6)
        refused = flooder.post("/v1/embeddings", json=body)
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "OwnQueueFull"
        until(lambda: len(begun) == 2)
        assert begun == [8, 8], "two threads of sixteen"
        assert other.post("/api/v1/retrieve", json={"question": QUESTION}).json()["evidence"]
        gate.set()
        assert [one.result().status_code for one in held] == [200] * 6, "what was begun is finished"
    assert begun == [8] * 12


def test_errors_have_openais_form_in_the_callers_language(api: OfflineServer) -> None:
    with pytest.raises(AuthenticationError) as unknown:
        client(api, {"Authorization": "Bearer ad_nobody"}).models.list()
    assert unknown.value.code == "ApiKeyRefused"
    with pytest.raises(BadRequestError) as empty:
        client(api).chat.completions.create(model=MODEL, messages=asked("  ?! "))
    assert empty.value.code == "QuestionWithoutWords"
    with api.client(api.key() | {"Accept-Language": "zh-CN"}) as http:
        refused = http.post("/v1/chat/completions", json={"model": MODEL, "messages": asked(), "n": 2})
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        422,
        "无法处理该请求：一次只给出一个答案，n 必须为 1。",
    )


@pytest.mark.parametrize(
    ("path", "changed", "param"),
    [
        ("/v1/chat/completions", {"messages": asked("How long? \ud83d")}, "body.messages.0.content"),
        ("/v1/chat/completions", {"messages": [*asked("\ud83d"), *asked()]}, "body.messages.0.content"),
        ("/v1/chat/completions", {"messages": asked([{"type": "text", "text": "\ud83d"}])}, "body.messages.0.content"),
        ("/v1/chat/completions", {"messages": asked(), "user": "\udc00"}, "body.user"),
        ("/v1/responses", {"input": "How long? \ud83d"}, "body.input"),
        ("/v1/responses", {"input": asked("How long? \ud83d")}, "body.input"),
        ("/v1/responses", {"input": QUESTION, "user": "\ud83d"}, "body.user"),
        ("/v1/embeddings", {"input": "How long? \ud83d", "model": "answerdesk-embedder"}, "body.input"),
        ("/api/v1/ask", {"question": "How long? \ud83d"}, "body.question"),
        ("/api/v1/ask", {"question": QUESTION, "user": "\ud83d"}, "body.user"),
        ("/api/v1/ask", {"question": QUESTION, "follows": "\ud83d"}, "body.follows"),
        ("/api/v1/retrieve", {"question": QUESTION, "earlier": ["\ud83d"]}, "body.earlier.0"),
    ],
)
def test_half_an_emoji_is_refused_as_what_is_no_text(
    api: OfflineServer, path: str, changed: dict[str, Any], param: str
) -> None:
    """It cannot be encoded, so it can be neither stored nor sent."""
    body = ({"model": MODEL} if path.startswith("/v1") else {}) | changed
    with api.client(api.key() | {"Content-Type": "application/json"}) as http:
        refused = http.post(path, content=json.dumps(body))
    told = refused.json().get("error", refused.json())
    assert (refused.status_code, told["code"]) == (422, "RequestUnusable")
    assert told["param"].startswith(param)


def test_addresses_of_pictures_and_sounds_are_refused_in_words(api: OfflineServer) -> None:
    content: list[Any] = [{"type": "image_url", "image_url": {"url": "http://evil.example/a.png"}}]
    with pytest.raises(APIError) as refused:
        client(api).chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert "nothing is fetched from an address" in str(refused.value)
    content = [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]
    with pytest.raises(APIError) as refused:
        client(api).chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert "only text, and pictures in /v1/chat/completions" in str(refused.value)


def test_a_failure_in_mid_stream_is_raised_and_nothing_is_taken_for_the_end(api: OfflineServer) -> None:
    api.model.say("You can send", " back any item", held=True)
    openai, events = client(api), []
    stream = openai.chat.completions.create(model=f"{MODEL}:fresh", messages=asked(), stream=True)
    turn_id = ""

    def stop() -> None:
        api.services.turns.cancel(turn_id)

    with pytest.raises(APIError):
        for chunk in stream:
            turn_id = chunk.id.removeprefix("chatcmpl-")
            events.append(chunk)
            threading.Timer(0.2, stop).start()
    assert all(chunk.choices[0].finish_reason is None for chunk in events)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/api/v1/ask"])
def test_a_client_that_goes_away_frees_the_model_and_is_no_fault(
    api: OfflineServer, caplog: pytest.LogCaptureFixture, path: str, streams: bool
) -> None:
    api.model.say("You can send", " back any item", held=True)
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"model": f"{MODEL}:fresh", "stream": streams, "messages": asked()},
        "/v1/responses": {"model": f"{MODEL}:fresh", "stream": streams, "input": asked()},
        "/api/v1/ask": {"question": QUESTION, "fresh": True},
    }
    accept = "text/event-stream" if streams else "application/json"
    with raw_request(api, path, bodies[path], accept):
        until(lambda: api.model.answering == 1)
    until(lambda: api.model.answering == 0)  # alone it takes 0.02 s; nothing else would end what is held
    with api.client() as http:
        http.get("/healthz")  # served after the request that broke off
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


@contextmanager
def raw_request(api: OfflineServer, path: str, body: dict[str, Any], accept: str) -> Iterator[socket.socket]:
    """Send a request and hang up at the end of the block, whatever was answered."""
    content = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", f"Host: {api.url.removeprefix('http://')}", "Content-Type: application/json"]
    head += [f"Accept: {accept}"]
    head += [f"{name}: {value}" for name, value in api.key().items()] + [f"Content-Length: {len(content)}", "", ""]
    with socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2]))) as connection:
        connection.sendall("\r\n".join(head).encode() + content)
        yield connection


def test_open_webuis_errands_never_reach_the_model(api: OfflineServer) -> None:
    prompt = (
        '### Task:\nGenerate a concise title.\n### Output:\nJSON format: { "title": "..." }\n'
        "### Chat History:\n<chat_history>\nUSER: How long can I return it?\nASSISTANT: 30 days.\n</chat_history>"
    )
    before = len(api.services.turns.history(None, 500))
    reply = client(api).chat.completions.create(model=MODEL, messages=asked(prompt))
    assert json.loads(reply.choices[0].message.content or "") == {"title": "How long can I return it?"}
    stream = client(api).chat.completions.create(model=MODEL, messages=asked(prompt), stream=True)
    assert "title" in "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert len(api.services.turns.history(None, 500)) == before
    assert errand_reply("### Task: please refund me") is None  # a customer's own heading


def test_marks_make_unsupported_sentences_visible_in_plain_text(api: OfflineServer) -> None:
    api.model.say(f"{SENTENCE} Every parcel comes with a free bicycle.")
    with api.client(api.key()) as http:
        body = {"model": f"{MODEL}:fresh", "messages": asked()}
        reply = http.post("/v1/chat/completions?mark=unsupported", json=body).json()
    assert reply["choices"][0]["message"]["content"].endswith("bicycle. [not in the documents]")


def test_the_heading_that_restricts_a_quote_goes_with_it(api: OfflineServer) -> None:
    sentence = "Refunds above GBP 500 need Ada."
    api.model.say(sentence)
    body = {"model": "answerdesk/finance:fresh", "messages": asked("Who allows refunds above GBP 500?"), "stream": True}
    with api.client(api.key(scopes=("finance",)) | {"X-OpenWebUI-User-Id": "7"}) as http:
        lines = http.post("/v1/chat/completions", json=body).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    [source] = [one["event"] for one in events if "event" in one]
    assert source["data"]["document"] == [f"Faulty goods\n{sentence}"]
    [vendor] = [one["answerdesk"] for one in events if "answerdesk" in one]
    assert [one["heading"] for one in vendor["citations"]] == ["Faulty goods"]


def test_open_webui_is_told_the_quotes_beside_ordinary_chunks(api: OfflineServer) -> None:
    headers = api.key() | {"X-OpenWebUI-User-Id": "7"}
    with api.client(headers) as http:
        body = {"model": f"{MODEL}:fresh", "messages": asked(), "stream": True}
        lines = http.post("/v1/chat/completions", json=body).text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    [source] = [one["event"] for one in events if "event" in one]
    assert source["data"]["document"] == [SENTENCE]
    assert all(one["choices"] for one in events if "event" in one)
