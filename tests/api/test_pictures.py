"""Pictures in a conversation over OpenAI's wire: read as the desk reads them, never fetched, within limits."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.openai.pictures import LARGEST_PICTURES_BYTES, MOST_PICTURES, pictures_in
from api.openai.requests import Message
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable, NotAVisionModel, RequestUnusable
from rag.generation.gateway import ModelGateway
from rag.generation.picture_description import PictureDescriber
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart
from rag.queue.admission import Admission
from rag.testing import ScriptedGenerator
from tests.api.offline_server import QUESTION, OfflineServer, offline_server
from tests.support.pictures import as_file, drawn

SCREEN = as_file(drawn(size=(120, 80)))
SEEN = "A dialog shows Error E-42."


def data_url(content: bytes = SCREEN, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}


def sent(*urls: str, text: str = "What is this?") -> list[Message]:
    content = [{"type": "text", "text": text}, *map(image, urls)]
    return [Message.model_validate({"role": "user", "content": content})]


def test_data_urls_of_every_kind_are_taken_with_their_endings() -> None:
    kinds = ("image/png", "image/jpeg", "image/gif", "image/webp")
    found = pictures_in(sent(*(data_url(kind=kind) for kind in kinds)))
    assert [one.name for one in found] == ["picture 1.png", "picture 2.jpg", "picture 3.gif", "picture 4.webp"]
    assert {one.content for one in found} == {SCREEN}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("urls", "reason"),
    [
        (["http://10.0.0.1/a.png"], "picture_address"),
        (["https://evil.example/a.png"], "picture_address"),
        (["file:///etc/passwd"], "picture_address"),
        ([""], "picture_address"),
        (["data:image/svg+xml;base64,PHN2Zy8+"], "no_picture"),
        (["data:image/png,raw"], "no_picture"),
        (["data:image/png;base64"], "no_picture"),
        (["data:image/png;base64,@@@"], "no_picture"),
        (["data:text/html;base64,PGI+"], "no_picture"),
        ([data_url()] * (MOST_PICTURES + 1), "too_many_pictures"),
        ([data_url(bytes(LARGEST_PICTURES_BYTES // 2 + 1))] * 2, "pictures_too_large"),
        ([data_url(bytes(LARGEST_PICTURES_BYTES + 9))], "pictures_too_large"),
    ],
    ids=["http", "https", "file", "empty", "svg", "raw", "bare", "junk", "html", "five", "together", "one"],
)
def test_all_else_is_refused_in_both_languages(urls: Sequence[str], reason: str) -> None:
    with pytest.raises(RequestUnusable) as refused:
        pictures_in(sent(*urls))
    assert refused.value.details["reason"] == reason
    assert refused.value.text("en") != refused.value.text("zh")


def test_pictures_of_earlier_messages_are_left_out() -> None:
    earlier = sent("http://evil.example/a.png")
    assert pictures_in([*earlier, Message(role="user", content="And now?")]) == ()


class Eye:
    """What the model for pictures says, and what the reading process finds in them."""

    def __init__(self) -> None:
        self.parts: tuple[GenerationPart | Exception, ...] = (GeneratedText(SEEN), GenerationFinished())
        self.words = "How long can I send an item back after delivery?"
        gateway = ModelGateway(ScriptedGenerator(lambda _: self.parts), Admission(slots=1, max_waiting=8))
        self.describer = PictureDescriber(gateway, most_waiting=4)

    def read(self, name: str, content: bytes, reader: FileReader) -> str:
        if not self.words or content != SCREEN:
            raise DocumentUnreadable(path=name, reason="picture" if content == SCREEN else "malformed")
        return self.words


@pytest.fixture
def eye(monkeypatch: pytest.MonkeyPatch) -> Eye:
    made = Eye()
    monkeypatch.setattr("api.services.attachments.question_of_file", made.read)
    return made


@pytest.fixture
def seeing(tmp_path: Path, eye: Eye) -> Iterator[OfflineServer]:
    describer = eye.describer
    with offline_server(tmp_path, lambda: describer, vision_model="eye:1b") as served:
        yield served


def asked(server: OfflineServer, *urls: str, text: str = "", language: str = "en") -> httpx.Response:
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    body = {"model": "answerdesk", "messages": [{"role": "user", "content": [*content, *map(image, urls)]}]}
    headers = {"Accept-Language": language, **server.key()}
    return httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, timeout=600, trust_env=False)


@pytest.mark.slow
def test_words_and_description_become_the_question(seeing: OfflineServer, eye: Eye) -> None:
    answer = asked(seeing, data_url())
    assert answer.status_code == 200, answer.text
    assert answer.json()["answerdesk"]["pictures"] == [{"words": True, "described_by": "scripted", "problem": None}]
    turn = seeing.services.turns.snapshot(answer.json()["id"].removeprefix("chatcmpl-"))
    assert turn is not None
    assert turn.question == f"{QUESTION}\n\n[Picture, described by a model: {SEEN}]"


@pytest.mark.slow
def test_a_model_that_cannot_is_told_and_the_words_are_asked(seeing: OfflineServer, eye: Eye) -> None:
    eye.parts = (NotAVisionModel(model="text:1b"),)
    told = asked(seeing, data_url()).json()["answerdesk"]["pictures"]
    assert told == [{"words": True, "described_by": None, "problem": "NotAVisionModel"}]
    eye.words = ""
    refused = asked(seeing, data_url(), language="zh")
    assert refused.status_code == 503
    assert "text:1b 不能识别图片" in refused.json()["error"]["message"]


@pytest.mark.slow
def test_a_picture_without_words_is_asked_by_its_description(seeing: OfflineServer, eye: Eye) -> None:
    eye.words = ""
    answer = asked(seeing, data_url(), text="How long can I send it back?")
    assert answer.status_code == 200, answer.text
    assert answer.json()["answerdesk"]["pictures"] == [{"words": False, "described_by": "scripted", "problem": None}]


@pytest.mark.slow
def test_junk_is_refused_as_the_callers_own_fault(seeing: OfflineServer) -> None:
    refused = asked(seeing, data_url(b"junk"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "RequestUnusable")
    assert "picture 1.png" in refused.json()["error"]["message"]


@pytest.mark.slow
def test_without_a_model_the_words_are_asked(api: OfflineServer, eye: Eye) -> None:
    answer = asked(api, data_url())
    assert answer.json()["answerdesk"]["pictures"] == [{"words": True, "described_by": None, "problem": None}]
    eye.words = ""
    refused = asked(api, data_url())
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "RequestUnusable")
