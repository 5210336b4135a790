"""Several hosts: who may be asked, who is left out and why, and who is taken back."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rag.errors import ModelMissing, NoHostAnswers
from rag.ollama import __main__ as command
from rag.ollama import hosts as hosts_module
from rag.ollama.hosts import Hosts, choose_model, host_name, hosts_of, loaded_models
from rag.ollama.models import ChosenModel
from rag.ollama.server import ensure_running, status, stop
from rag.settings import Settings, load_settings
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub
from tests.rag.ollama.conftest import until

MODEL = "deepseek-r1:7b"


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts_module, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(hosts_module, "_MODELS_EVERY_SECONDS", 0.1)
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture
def two() -> Iterator[tuple[OllamaStub, OllamaStub]]:
    with OllamaStub(models=[MODEL]) as one, OllamaStub(models=[MODEL]) as other:
        yield one, other


def of(*urls: str, wanted: str = MODEL) -> Hosts:
    return Hosts(urls, wanted, slots_each=2)


def settings_of(folder: Path, *urls: str, model: str = MODEL) -> Settings:
    return Settings(data_dir=folder / "d", cache_dir=folder / "c", ollama_host=",".join(urls), model=model)


def test_all_that_answer_and_have_the_model_are_asked(two: tuple[OllamaStub, OllamaStub]) -> None:
    hosts = of(*(stub.url for stub in two))
    assert hosts.slots() == {host_name(stub.url): 2 for stub in two}
    assert hosts.chosen() == ChosenModel(MODEL, stand_in=False)
    hosts.require()


@pytest.mark.slow
def test_one_without_the_model_is_left_out_until_it_has_it(
    two: tuple[OllamaStub, OllamaStub], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    other.models[:] = ["qwen:7b"]
    hosts = of(one.url, other.url)
    assert hosts.states() == {host_name(one.url): "usable", host_name(other.url): "without_model"}
    assert list(hosts.slots()) == [host_name(one.url)]
    assert [record.message for record in caplog.records] == [
        f"The model server {host_name(other.url)} is left out: it does not have {MODEL}"
    ]
    other.models.append(MODEL)
    until(lambda: len(hosts.slots()) == 2)
    assert caplog.records[-1].message == f"The model server {host_name(other.url)} is back in use"


@pytest.mark.slow
def test_a_dead_one_is_left_out_and_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with OllamaStub(models=[MODEL]) as one, ExitStack() as second_life:
        with OllamaStub(models=[MODEL], port=port) as other:
            url = other.url
            hosts = of(one.url, url)
            assert len(hosts.slots()) == 2
        until(lambda: list(hosts.slots()) == [host_name(one.url)])
        assert caplog.records[-1].message == f"The model server {host_name(url)} is left out: it does not answer"
        second_life.enter_context(OllamaStub(models=[MODEL], port=port))
        until(lambda: len(hosts.slots()) == 2)


def test_a_change_is_logged_in_the_reader_s_language(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with OllamaStub(models=[MODEL]) as one, OllamaStub(models=["qwen:7b"]) as other:
        gone = f"127.0.0.1:{free_port()}"
        of(one.url, other.url, f"http://{gone}").states()
        assert [record.message for record in caplog.records] == [
            f"模型服务 {host_name(other.url)} 没有模型 {MODEL}，暂不使用",
            f"模型服务 {gone} 没有响应，暂不使用",
        ]


def test_one_look_may_be_missed_but_not_where_a_question_failed(two: tuple[OllamaStub, OllamaStub]) -> None:
    one, other = two
    hosts = of(one.url, other.url)
    hosts.require()
    name = host_name(other.url)
    answers = other.answers.pop("/api/version")
    watched = hosts._watched[name]
    assert not watched.ask()
    assert hosts.states()[name] == "usable"
    assert not hosts.suspect(name)
    assert hosts.states()[name] == "down"
    other.answers["/api/version"] = answers
    assert hosts.suspect(name)
    assert hosts.states()[name] == "usable"


def test_another_program_on_the_port_is_no_model_server(two: tuple[OllamaStub, OllamaStub]) -> None:
    one, other = two
    other.answers["/api/tags"] = lambda _: (200, [{"models": [{"title": "a film"}]}])
    hosts = of(one.url, other.url)
    assert hosts.states()[host_name(other.url)] == "down"


def test_where_none_answers_or_none_has_it_that_is_said() -> None:
    gone = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    hosts = of(*gone)
    assert hosts.slots() == {}
    with pytest.raises(NoHostAnswers) as error:
        hosts.require()
    for language, words in (("en", "None of the model servers responds"), ("zh", "所有模型服务均无响应")):
        assert words in error.value.text(language)  # type: ignore[arg-type]
        assert all(host_name(url) in error.value.text(language) for url in gone)  # type: ignore[arg-type]
    with OllamaStub(models=["qwen:7b"]) as stub, pytest.raises(ModelMissing):
        of(stub.url, gone[0]).require()


@pytest.mark.slow
def test_where_no_model_is_named_the_hosts_together_decide(tmp_path: Path) -> None:
    with OllamaStub(models=["stand-in:0.5b"]) as one, OllamaStub(models=[MODEL, "stand-in:0.5b"]) as other:
        settings = settings_of(tmp_path, one.url, other.url, model="")
        assert choose_model(settings).name == MODEL
        hosts = hosts_of(settings)
        assert hosts is not None
        assert hosts is hosts_of(settings.changed(knowledge_base="another"))
        assert list(hosts.slots()) == [host_name(other.url)]
        other.models.remove(MODEL)
        until(lambda: len(hosts.slots()) == 2)
        assert choose_model(settings).name == "stand-in:0.5b"


def test_what_hosts_hold_of_a_model_is_added_up(tmp_path: Path, two: tuple[OllamaStub, OllamaStub]) -> None:
    for stub in two:
        row = {"name": MODEL, "size": 1000, "size_vram": 400, "context_length": 4096}
        stub.answers["/api/ps"] = lambda _, row=row: (200, [{"models": [row]}])  # type: ignore[misc]
    [model] = loaded_models(settings_of(tmp_path, *(stub.url for stub in two)))
    assert (model.memory_bytes, model.gpu_bytes, model.context_tokens) == (2000, 800, 4096)


@pytest.mark.slow
def test_several_hosts_are_adopted_and_neither_started_nor_stopped(
    tmp_path: Path, two: tuple[OllamaStub, OllamaStub], stub_program: Path
) -> None:
    settings = settings_of(tmp_path, *(stub.url for stub in two))
    found = ensure_running(settings, while_we_live=True)
    assert (found.running, found.managed, found.url) == (True, False, f"{two[0].url}, {two[1].url}")
    assert stop(settings) == "not_ours"
    gone = settings_of(tmp_path, *(f"127.0.0.1:{free_port()}" for _ in range(2)))
    with pytest.raises(NoHostAnswers):
        ensure_running(gone)
    assert not status(gone).running
    assert not settings.data_dir.exists()


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    def run(arguments: list[str], *urls: str, language: str = "en") -> int:
        monkeypatch.setenv("OLLAMA_HOSTS", ",".join(urls))
        monkeypatch.setenv("ANSWERDESK_MODEL", MODEL)
        monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "d"))
        monkeypatch.setenv("ANSWERDESK_CACHE_DIR", str(tmp_path / "c"))
        monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8" if language == "zh" else "C.UTF-8")
        load_settings.cache_clear()
        return command.main(arguments)

    for name in ("ANSWERDESK_OLLAMA_HOSTS", "ANSWERDESK_OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    yield run
    load_settings.cache_clear()
    logging.getLogger(Hosts.__module__).setLevel(logging.NOTSET)


@pytest.mark.slow
def test_status_tells_of_each_host_once(
    run: Run,
    two: tuple[OllamaStub, OllamaStub],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, other = two
    row = {"name": MODEL, "size": 4_900_000_000, "size_vram": 0, "context_length": 4096}
    one.answers["/api/ps"] = lambda _: (200, [{"models": [row]}])
    other.models[:] = ["qwen:7b"]
    gone = f"127.0.0.1:{free_port()}"
    assert run(["status"], one.url, other.url, gone) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{host_name(one.url)}: Ollama 0.0.0-stub, {MODEL} in memory (4.9 GB); 0 of 2 slots busy",
        f"{host_name(other.url)}: left out, Ollama 0.0.0-stub does not have {MODEL}; it has qwen:7b",
        f"{gone}: left out, no model server answers",
        "1 of 3 hosts answers: 0 of 2 slots busy, 0 waiting",
    ]
    assert run(["status"], one.url, other.url, gone, language="zh") == 0
    assert caplog.records == []
    said = capsys.readouterr().out
    assert "已加载（4.9 GB）" in said and f"没有模型 {MODEL}" in said and "没有模型服务响应" in said
    assert run(["status", "--json"], one.url, other.url, gone) == 0
    found = json.loads(capsys.readouterr().out)
    assert [host["state"] for host in found["hosts"]] == ["usable", "without_model", "down"]
    assert (found["running"], found["model"], found["hosts"][0]["loaded"][0]["name"]) == (True, MODEL, MODEL)


@pytest.mark.slow
def test_status_without_any_usable_host_is_exit_code_4(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with OllamaStub() as empty:
        gone = f"127.0.0.1:{free_port()}"
        assert run(["status"], empty.url, gone) == 4
        assert "has no model" in capsys.readouterr().out
        assert run(["status"], f"127.0.0.1:{free_port()}", gone) == 4
        assert "0 of 2 hosts answer together: 0 of 0 slots busy" in capsys.readouterr().out


@pytest.mark.slow
def test_start_and_stop_leave_several_hosts_alone(
    run: Run, two: tuple[OllamaStub, OllamaStub], capsys: pytest.CaptureFixture[str], stub_program: Path
) -> None:
    for arguments in (["start"], ["start", "--foreground"], ["stop"]):
        assert run(arguments, *(stub.url for stub in two)) == 0
        assert "neither started nor stopped" in capsys.readouterr().out
    assert run(["stop"], *(f"127.0.0.1:{free_port()}" for _ in range(2))) == 0
    started_at = time.monotonic()
    assert run(["start"], *(f"127.0.0.1:{free_port()}" for _ in range(2))) == 4
    assert time.monotonic() - started_at < 30
