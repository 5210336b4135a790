"""The generator against a scripted server on a real socket."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import (
    ModelMissing,
    ModelStoppedHalfway,
    ModelTimedOut,
    NotAVisionModel,
    OllamaRefused,
    OllamaUnavailable,
    ServingError,
)
from rag.generation.ollama_generator import OllamaGenerator, ThoughtTags
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Message
from rag.settings import Settings
from tests.rag.command import CHECKOUT
from tests.support.fake_ollama import Break, FakeOllama, Pause, Raw, Step, content, done, thinking

pytestmark = pytest.mark.slow

QUESTION = [Message("system", "rules"), Message("user", "How long?")]


@dataclass(frozen=True)
class Chosen:
    name: str = "stand-in:0.5b"
    stand_in: bool = True


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama().serving() as fake:
        yield fake


def _generator(ollama: FakeOllama, **changes: object) -> OllamaGenerator:
    settings = Settings.model_validate({"ollama_host": ollama.host, "data_dir": Path("/nowhere"), **changes})
    generator = OllamaGenerator(settings, Chosen)
    generator.warm()  # what is imported at the first call is no part of any timeout
    return generator


def _parts(ollama: FakeOllama, *steps: Step, think: bool = False, **changes: object) -> list[GenerationPart]:
    ollama.steps = steps
    parts = _generator(ollama, **changes).generate(QUESTION, think=think, max_tokens=50)
    return [part for part in parts if part != GeneratedText("")]


def test_thinking_text_and_durations(ollama: FakeOllama) -> None:
    parts = _parts(ollama, thinking("Let me"), thinking(" see."), content("7"), content(" days"), done(), think=True)
    assert parts == [
        GeneratedThinking("Let me"),
        GeneratedThinking(" see."),
        GeneratedText("7"),
        GeneratedText(" days"),
        GenerationFinished(
            prompt_tokens=12, generated_tokens=3, load_ms=1500.0, prompt_ms=250.0, generation_ms=750.0, reason="stop"
        ),
    ]


def test_what_is_sent(ollama: FakeOllama) -> None:
    _parts(ollama, content("x"), done("length"), context_tokens=2048, temperature=0.25, keep_alive_seconds=60)
    request = ollama.requests[0]
    assert request == {
        "model": "stand-in:0.5b",
        "messages": [
            {"role": "system", "content": "rules"},
            {"role": "user", "content": "How long?"},
            {"role": "assistant"},
        ],
        "tools": [],
        "think": False,
        "stream": True,
        "keep_alive": 60,
        "options": {"num_ctx": 2048, "num_predict": 50, "temperature": 0.25, "repeat_penalty": 1.0},
    }


def test_the_profile_says_how_words_are_drawn(ollama: FakeOllama) -> None:
    _parts(ollama, content("x"), done(), profile="code")
    options = ollama.requests[0]["options"]
    assert (options["temperature"], options["top_p"], options["repeat_penalty"]) == (0.3, 0.9, 1.0)


@pytest.mark.parametrize(("stand_in", "think", "sent"), [(True, False, 3), (True, True, 2), (False, False, 2)])
def test_only_a_stand_in_that_is_not_to_think_gets_an_empty_beginning(
    ollama: FakeOllama, stand_in: bool, think: bool, sent: int
) -> None:
    ollama.steps = [content("x"), done()]
    generator = OllamaGenerator(Settings(ollama_host=ollama.host), lambda: Chosen(stand_in=stand_in))
    list(generator.generate(QUESTION, think=think, max_tokens=9))
    assert len(ollama.requests[0]["messages"]) == sent


def test_candidates_for_the_first_token_are_asked_for_and_returned(ollama: FakeOllama) -> None:
    first = [{"token": "yes", "logprob": 0.0}, {"token": " No", "logprob": -100.0}]
    second = [{"token": ".", "logprob": 0.0}]
    ollama.steps = [
        content("yes") | {"logprobs": [{"token": "yes", "logprob": 0.0, "top_logprobs": first}]},
        content(".") | {"logprobs": [{"token": ".", "logprob": 0.0, "top_logprobs": second}]},
        done(),
    ]
    *_, finished = _generator(ollama).generate(QUESTION, think=False, max_tokens=1, candidates=9)
    assert (ollama.requests[0]["logprobs"], ollama.requests[0]["top_logprobs"]) == (True, 9)
    assert isinstance(finished, GenerationFinished)
    assert [token for token, _ in finished.first_token] == ["yes", " No"]
    assert finished.first_token[0][1] == pytest.approx(1.0)
    _parts(ollama, content("x"), done())
    assert not ollama.requests[1].get("logprobs")


def test_a_closed_thought_is_passed_on_to_be_continued(ollama: FakeOllama) -> None:
    ollama.steps = [content("7 days"), done()]
    messages = [*QUESTION, Message("assistant", "", thinking="The passage says 7.")]
    list(_generator(ollama).generate(messages, think=False, max_tokens=9))
    assert ollama.requests[0]["messages"][2]["thinking"] == "The passage says 7."
    assert "thinking" not in ollama.requests[0]["messages"][1]


def test_leaked_tags_become_thinking(ollama: FakeOllama) -> None:
    parts = _parts(ollama, content("<th"), content("ink>hm</thi"), content("nk>7 days <"), done())
    assert parts[:-1] == [GeneratedThinking("hm"), GeneratedText("7 days "), GeneratedText("<")]


def test_closing_ends_the_request_even_before_the_first_token(ollama: FakeOllama) -> None:
    ollama.steps = [Pause(30), content("late"), done()]
    parts = _generator(ollama).generate(QUESTION, think=False, max_tokens=9)
    assert next(parts) == GeneratedText("")  # the heartbeat
    while not ollama.requests:  # a busy machine needs more than one to send the request
        next(parts)
    parts.close()
    assert ollama.hung_up.wait(timeout=20)  # the pause is longer


def test_closing_in_mid_answer_ends_the_request(ollama: FakeOllama) -> None:
    ollama.steps = [content("one"), Pause(30), content("two"), done()]
    parts = _generator(ollama).generate(QUESTION, think=False, max_tokens=9)
    assert next(part for part in parts if part != GeneratedText("")) == GeneratedText("one")
    parts.close()
    assert ollama.hung_up.wait(timeout=20)


def test_no_first_token_in_time(ollama: FakeOllama) -> None:
    with pytest.raises(ModelTimedOut) as caught:
        _parts(ollama, Pause(30), first_token_timeout_seconds=0.3)
    assert 0.3 <= float(str(caught.value.details["seconds"])) < 3
    assert ollama.hung_up.wait(timeout=20)
    assert ollama.unloaded.wait(timeout=20), "a slot that Ollama lost comes back with a new runner"


def test_no_next_token_in_time(ollama: FakeOllama) -> None:
    with pytest.raises(ModelTimedOut):
        _parts(ollama, content("one"), Pause(30), first_token_timeout_seconds=30, token_timeout_seconds=0.3)


def test_nobody_listens() -> None:
    nobody = FakeOllama(host="127.0.0.1:9")
    with pytest.raises(OllamaUnavailable) as caught:
        _parts(nobody)
    assert caught.value.details == {"host": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("status", "error"), [(404, ModelMissing), (500, OllamaRefused), (503, OllamaRefused), (400, OllamaRefused)]
)
def test_refusals(ollama: FakeOllama, status: int, error: type[ServingError]) -> None:
    ollama.status = status
    with pytest.raises(error) as caught:
        _parts(ollama)
    assert ("stand-in:0.5b" if status == 404 else f"no with {status}") in str(caught.value)


def test_broken_after_text_keeps_the_text(ollama: FakeOllama) -> None:
    with pytest.raises(ModelStoppedHalfway) as caught:
        _parts(ollama, content("You have "), content("7"), Break())
    assert caught.value.partial_text == "You have 7"


def test_broken_before_any_text(ollama: FakeOllama) -> None:
    with pytest.raises(OllamaUnavailable):
        _parts(ollama, thinking("hm"), Break(), think=True)


@pytest.mark.parametrize(
    ("before", "said", "error"),
    [
        ("", "the input is too long", OllamaRefused),
        ("You have", "the input is too long", ModelStoppedHalfway),
        ("", "llama runner process has terminated", ModelStoppedHalfway),
        ("", "model runner has unexpectedly stopped, this may be due to resource limitations", ModelStoppedHalfway),
    ],
)
def test_an_error_in_mid_stream(ollama: FakeOllama, before: str, said: str, error: type[ServingError]) -> None:
    with pytest.raises(error):
        _parts(ollama, *([content(before)] if before else []), {"error": said})


def test_a_stream_that_ends_without_a_last_object(ollama: FakeOllama) -> None:
    with pytest.raises(ModelStoppedHalfway):
        _parts(ollama, content("You have"))


def test_a_stream_without_anything(ollama: FakeOllama) -> None:
    with pytest.raises(ModelStoppedHalfway):
        _parts(ollama)


@pytest.mark.parametrize(
    "line",
    [
        Raw("<html>"),
        Raw('{"message": {"role"'),
        {"message": "text"},
        Raw("[1]"),
        Raw("3"),
        Raw("null"),
        Raw('{"error": {"message": "no"}}'),
        Raw("[" * 100_000),
        Raw('{"eval_count": ' + "1" * 5000 + "}"),
    ],
)
def test_a_line_that_is_not_ollamas_keeps_the_text(ollama: FakeOllama, line: Step) -> None:
    with pytest.raises(ModelStoppedHalfway) as caught:
        _parts(ollama, content("You have"), line, done())
    assert caught.value.partial_text == "You have"


def test_a_model_that_was_only_loaded_has_not_answered(ollama: FakeOllama) -> None:
    with pytest.raises(ModelStoppedHalfway):
        _parts(ollama, done("load"))


def test_a_thought_is_dropped_where_none_was_asked_for(ollama: FakeOllama) -> None:
    parts = _parts(ollama, thinking("hm"), content("7"), done())
    assert parts[:-1] == [GeneratedText("7")]


def test_a_generation_imports_no_langchain(ollama: FakeOllama) -> None:
    code = (
        "import sys\n"
        "from tests.rag.generation.test_ollama_generator import QUESTION, Chosen, OllamaGenerator, Settings\n"
        f"generator = OllamaGenerator(Settings(ollama_host={ollama.host!r}), Chosen)\n"
        "print(*(part.text for part in list(generator.generate(QUESTION, think=False, max_tokens=9))[:-1]))\n"
        "print([name for name in sys.modules if name.startswith(('langchain', 'langsmith', 'torch'))])\n"
    )
    ollama.steps = [content("7 days"), done()]
    ran = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (ran.stdout.split("\n")[-2], ran.stderr) == ("[]", "")
    assert "7 days" in ran.stdout


def test_the_model_is_chosen_once_and_late() -> None:
    calls: list[int] = []

    def choose() -> Chosen:
        calls.append(1)
        return Chosen("stand-in:1.5b")

    generator = OllamaGenerator(Settings(), choose)
    assert calls == []
    assert (generator.model, generator.stand_in, generator.model) == ("stand-in:1.5b", True, "stand-in:1.5b")
    assert calls == [1]


PICTURE = b"\x89PNG\r\n\x1a\nnot drawn here"


def _shown(ollama: FakeOllama) -> list[GenerationPart]:
    ollama.steps = (content("a red square"), done())
    messages = [Message("user", "What is it?", pictures=(PICTURE,))]
    parts = _generator(ollama).generate(messages, think=False, max_tokens=50)
    return [part for part in parts if part != GeneratedText("")]


def test_a_picture_goes_to_a_model_that_sees(ollama: FakeOllama) -> None:
    ollama.capabilities = ("completion", "vision")
    assert _shown(ollama)[0] == GeneratedText("a red square")
    (request,) = ollama.requests
    first = request["messages"][0]
    assert (first["content"], [base64.b64decode(image) for image in first["images"]]) == ("What is it?", [PICTURE])


def test_a_text_model_is_shown_no_picture(ollama: FakeOllama) -> None:
    with pytest.raises(NotAVisionModel, match=r"stand-in:0\.5b cannot see pictures"):
        _shown(ollama)
    assert ollama.requests == []
    ollama.capabilities = None
    with pytest.raises(ModelMissing):
        _shown(ollama)
    assert ollama.requests == []


def _sorted(pieces: list[str]) -> tuple[str, str]:
    tags = ThoughtTags()
    parts = [part for piece in pieces for part in tags.feed(piece)] + tags.finish()
    thinking = "".join(part.text for part in parts if isinstance(part, GeneratedThinking))
    return thinking, "".join(part.text for part in parts if isinstance(part, GeneratedText))


@pytest.mark.parametrize(
    ("reply", "thinking", "text"),
    [
        ("7 days", "", "7 days"),
        ("<think>hm</think>7 days", "hm", "7 days"),
        ("</think>\n\n7 days", "", "\n\n7 days"),
        ("<think>never closed", "never closed", ""),
        ("a<think>b</think>c<think>d</think>e", "bd", "ace"),
        ("x < y and <b>bold</b> <thin", "", "x < y and <b>bold</b> <thin"),
        ("<<think>>a</</think>b", ">a</", "<b"),
    ],
)
def test_whole_replies(reply: str, thinking: str, text: str) -> None:
    assert _sorted([reply]) == (thinking, text)


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "/", "think", ">", "a", "思考", "</", "<th"]), max_size=12),
    st.data(),
)
def test_where_the_pieces_are_cut_makes_no_difference(tokens: list[str], data: st.DataObject) -> None:
    reply = "".join(tokens)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(reply)), max_size=8)))
    edges = [0, *cuts, len(reply)]
    pieces = [reply[start:end] for start, end in pairwise(edges)]
    thinking, text = _sorted(pieces)
    assert (thinking, text) == _sorted([reply])
    for tag in ("<think>", "</think>"):
        reply = reply.replace(tag, "")
    assert len(thinking) + len(text) <= len("".join(tokens))
