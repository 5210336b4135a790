"""Whose server it is, and that nothing of ours is left behind.

``ollama`` is the stub here; test_real_server.py has the real one.
"""

import errno
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import (
    DataFolderUnusable,
    NotOllama,
    OllamaElsewhere,
    OllamaNotInstalled,
    OllamaNotStarted,
    OllamaSilent,
)
from rag.ollama.__main__ import main as ollama_main
from rag.ollama.install import RECORD_NAME, built_folder, find_ollama, release_folder
from rag.ollama.server import ServerStart, ServerStatus, ensure_running, server_environment, status, stop
from rag.ollama.state import ProcessIdentity, ServerFiles, ServerState, group_members, read_state, write_state
from rag.settings import Settings
from tests.conftest import free_port
from tests.ollama_stub import CUT, SILENCE, OllamaStub
from tests.rag.ollama.conftest import CHECKOUT, gone, serving_leader, state_of, until


@pytest.mark.real
def test_start_is_adopted_by_the_next_and_stop_leaves_nothing(stub_settings: Settings) -> None:
    told: list[str] = []
    first = ensure_running(stub_settings, on_start=lambda: told.append("first"))
    assert first.running
    assert first.managed
    assert first.version == "0.0.0-stub"
    leader = serving_leader(stub_settings)
    assert len(group_members(leader)) == 2  # the server and its runner
    second = ensure_running(stub_settings, on_start=lambda: told.append("second"))
    assert second.pid == first.pid
    assert told == ["first"], "one that runs already is not started"
    assert "Listening on 127.0.0.1" in Path(first.log).read_text(encoding="utf-8")

    assert stop(stub_settings) == "stopped"
    assert gone(leader)
    assert status(stub_settings) == ServerStatus(stub_settings.ollama_url, False, "", managed=False)
    assert stop(stub_settings) == "not_running"


@pytest.mark.real
def test_a_server_that_was_there_is_adopted_and_never_stopped(tmp_path: Path) -> None:
    with OllamaStub() as stub:
        settings = Settings(data_dir=tmp_path, ollama_host=stub.url)
        found = ensure_running(settings)
        assert found.running
        assert not found.managed
        assert stop(settings) == "not_ours"
        assert status(settings).running


@pytest.mark.real
def test_killed_ollama_comes_back_and_its_old_runner_ends(stub_settings: Settings) -> None:
    ensure_running(stub_settings)
    leader = serving_leader(stub_settings)
    os.kill(leader.pid, signal.SIGKILL)
    until(lambda: state_of(stub_settings).restarts == 1 and state_of(stub_settings).phase == "serving")
    assert gone(leader)
    assert status(stub_settings).restarts == 1
    assert status(stub_settings).running


@pytest.mark.real
def test_killed_supervisor_takes_ollama_and_its_runner_along(stub_settings: Settings) -> None:
    ensure_running(stub_settings)
    leader = serving_leader(stub_settings)
    os.kill(state_of(stub_settings).supervisor.pid, signal.SIGKILL)
    until(lambda: gone(leader))
    assert not status(stub_settings).running


@pytest.mark.real
def test_a_runner_left_when_both_were_killed_is_ended_by_the_next_start(stub_settings: Settings) -> None:
    ensure_running(stub_settings)
    leader = serving_leader(stub_settings)
    os.kill(state_of(stub_settings).supervisor.pid, signal.SIGSTOP)  # so that it cannot clean up first
    os.kill(leader.pid, signal.SIGKILL)
    os.kill(state_of(stub_settings).supervisor.pid, signal.SIGKILL)
    until(lambda: not state_of(stub_settings).supervisor.alive())
    assert not gone(leader)  # its runner
    again = ensure_running(stub_settings)
    assert again.managed
    assert gone(leader)


@pytest.mark.real
def test_stop_ends_what_a_killed_supervisor_left(stub_settings: Settings) -> None:
    ensure_running(stub_settings)
    leader = serving_leader(stub_settings)
    os.kill(state_of(stub_settings).supervisor.pid, signal.SIGSTOP)
    os.kill(leader.pid, signal.SIGKILL)
    os.kill(state_of(stub_settings).supervisor.pid, signal.SIGKILL)
    until(lambda: not state_of(stub_settings).supervisor.alive())
    assert stop(stub_settings) == "stopped"
    assert gone(leader)


@pytest.mark.real
def test_a_server_that_cannot_start_says_why_and_is_not_tried_again(
    stub_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_FAILS", "1")
    with pytest.raises(OllamaNotStarted) as error:
        ensure_running(stub_settings)
    assert error.value.details["reason"] == "Error: listen tcp: address already in use"
    assert Path(str(error.value.details["log"])).is_file()
    assert status(stub_settings) == ServerStatus(stub_settings.ollama_url, False, "", managed=False)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EACCES, "this user may not"), (errno.EPERM, "this user may not"), (errno.EROFS, "read-only")],
)
def test_a_data_folder_that_cannot_be_written_is_told_in_one_sentence(
    number: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, ollama_host=f"127.0.0.1:{free_port()}")
    (tmp_path / "serving").mkdir()

    def refuse(path: str, *_: object) -> int:
        raise OSError(number, "in the system's words", path)

    for function in ("mkdir", "open"):  # of the folder, and of the lock in it
        with monkeypatch.context() as refusing, pytest.raises(DataFolderUnusable, match=f"serving.*{reason}"):
            refusing.setattr(os, function, refuse)
            ensure_running(settings)
        ServerFiles.of(settings).folder.mkdir(exist_ok=True)


FAULTS = [(200, [SILENCE]), (200, [CUT]), (500, [{"error": "an internal fault"}])]


@pytest.mark.slow
@pytest.mark.parametrize(("code", "rows"), FAULTS, ids=["hangs", "hangs up", "answers 500"])
def test_beside_what_listens_and_does_not_answer_nothing_is_started(
    code: int,
    rows: list[dict[str, object]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("rag.ollama.client._PROBE_SECONDS", 0.2)
    with OllamaStub() as stub:
        stub.answers["/api/version"] = lambda _: (code, rows)
        settings = Settings(data_dir=tmp_path, ollama_host=stub.url)
        with pytest.raises(OllamaSilent, match=f"Something listens at {stub.url}, but does not answer as Ollama does"):
            ensure_running(settings, on_start=lambda: pytest.fail("it is said that one is started"))
        assert read_state(ServerFiles.of(settings)) is None
        assert status(settings) == ServerStatus(stub.url, False, "", managed=False, silent=True)
        monkeypatch.setattr("rag.ollama.__main__.load_settings", lambda: settings)
        assert ollama_main(["status"]) == OllamaSilent.exit_code
        assert "Something listens" in capsys.readouterr().out
        assert stop(settings) == "not_running"


@pytest.mark.slow
def test_a_start_that_failed_is_not_tried_again_for_each_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.ollama.client._PROBE_SECONDS", 0.2)
    now = 100.0
    with OllamaStub() as stub:
        works = stub.answers["/api/version"]
        stub.answers["/api/version"] = lambda _: (200, [SILENCE])
        start = ServerStart(Settings(data_dir=tmp_path, ollama_host=stub.url), clock=lambda: now)
        with pytest.raises(OllamaSilent):
            start()
        asked = len(stub.requests)
        for _ in range(3):
            with pytest.raises(OllamaSilent, match=stub.url):
                start()
        assert len(stub.requests) == asked, "nobody waits for it again"
        stub.answers["/api/version"] = works
        now += 16
        assert start().running


@pytest.mark.real
def test_two_that_start_at_once_share_one_server(stub_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_DELAY", "0.5")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ensure_running, [stub_settings] * 4))
    assert {one.pid for one in found} == {found[0].pid}
    assert all(one.managed for one in found)


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_tied_server_ends_with_the_process_that_started_it(stub_settings: Settings, number: signal.Signals) -> None:
    program = (
        "import sys, time\nfrom rag.ollama.server import ensure_running\nfrom rag.settings import Settings\n"
        "ensure_running(Settings(), while_we_live=True)\nprint('up', flush=True)\ntime.sleep(60)\n"
    )
    environment = {
        **os.environ,
        "ANSWERDESK_DATA_DIR": str(stub_settings.data_dir),
        "ANSWERDESK_CACHE_DIR": str(stub_settings.cache_dir),
        "ANSWERDESK_OLLAMA_HOST": stub_settings.ollama_host,
    }
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        leader = serving_leader(stub_settings)
        supervisor = state_of(stub_settings).supervisor
        owner.send_signal(number)
        owner.wait(timeout=10)
    until(lambda: gone(leader) and not supervisor.alive())


def test_a_number_that_belongs_to_somebody_else_now_is_left_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, ollama_host=f"127.0.0.1:{free_port()}")
    files = ServerFiles.of(settings)
    files.folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        real = ProcessIdentity.of(stranger.pid)
        mistaken = ProcessIdentity(real.pid, real.created + 100)
        write_state(files, ServerState(settings.ollama_url, "serving", mistaken, mistaken, real.created, 0))
        assert stop(settings) == "not_running"
        assert real.alive()
        assert read_state(files) is None
        stranger.kill()


def test_a_damaged_record_is_no_record(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, ollama_host=f"127.0.0.1:{free_port()}")
    files = ServerFiles.of(settings)
    files.folder.mkdir(parents=True)
    files.state.write_text('{"url": 1', encoding="utf-8")
    assert not status(settings).managed
    assert stop(settings) == "not_running"


def test_nothing_is_started_where_another_program_answers(tmp_path: Path) -> None:
    with OllamaStub() as stub:
        stub.answers["/api/version"] = lambda _: (404, [{}])
        settings = Settings(data_dir=tmp_path, ollama_host=stub.url)
        with pytest.raises(NotOllama):
            ensure_running(settings)
        assert not ServerFiles.of(settings).folder.exists()
        found = status(settings)
        assert (found.running, found.other_program) == (False, True)
        assert stop(settings) == "not_running"


def test_another_machine_is_not_started_from_here(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, ollama_host="http://nowhere.invalid:11434")
    with pytest.raises(OllamaElsewhere, match=r"nowhere\.invalid"):
        ensure_running(settings)


def test_without_ollama_the_sentence_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings(data_dir=tmp_path / "d", cache_dir=tmp_path / "c", ollama_host=f"127.0.0.1:{free_port()}")
    with pytest.raises(OllamaNotInstalled, match="make setup"):
        ensure_running(settings, on_start=lambda: pytest.fail("nothing is started"))


def test_the_cached_release_goes_before_the_one_built_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings(cache_dir=tmp_path)
    for folder in (built_folder(settings), release_folder(settings)):
        binary = folder / "bin" / "ollama"
        binary.parent.mkdir(parents=True)
        binary.write_text("", encoding="utf-8")
        (folder / RECORD_NAME).write_text(json.dumps({"binary": "bin/ollama"}), encoding="utf-8")
        with pytest.raises(OllamaNotInstalled):  # a program that may not be executed is not whole
            find_ollama(settings)
        binary.chmod(0o755)
        assert find_ollama(settings) == binary
        binary.chmod(0o755 if folder == release_folder(settings) else 0o644)


def test_settings_reach_the_server_and_the_users_own_variables_stand(
    stub_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_FLASH_ATTENTION", "0")
    monkeypatch.setenv("OLLAMA_MULTIUSER_CACHE", "1")
    monkeypatch.setenv("ANSWERDESK_DATABASE_URL", "postgresql://desk:s3cret@db/desk")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    tuned = Settings(
        cache_dir=stub_settings.cache_dir,
        ollama_host="127.0.0.1:11999",
        parallel_slots=3,
        context_tokens=2048,
        keep_alive_seconds=60,
    )
    environment = server_environment(tuned)
    assert environment["OLLAMA_NUM_PARALLEL"] == "3"
    assert environment["OLLAMA_CONTEXT_LENGTH"] == "2048"
    assert environment["OLLAMA_KEEP_ALIVE"] == "60s"
    assert environment["OLLAMA_HOST"] == "127.0.0.1:11999"
    assert environment["OLLAMA_FLASH_ATTENTION"] == "0"
    assert environment["OLLAMA_NO_CLOUD"] == "1"
    assert "s3cret" not in " ".join(environment.values()), "passwords and keys are none of Ollama's business"
    assert environment["OLLAMA_MULTIUSER_CACHE"] == "0"  # it crashes the runner
    assert "OLLAMA_MODELS" not in environment  # the user's own Ollama keeps its own store
    assert environment["HOME"] == os.environ["HOME"]
    monkeypatch.delenv("OLLAMA_FLASH_ATTENTION")
    for flash in (True, False):
        chosen = server_environment(tuned.changed(flash_attention=flash, kv_cache_type="q8_0"))
        assert (chosen["OLLAMA_FLASH_ATTENTION"], chosen["OLLAMA_KV_CACHE_TYPE"]) == (str(int(flash)), "q8_0")
    assert server_environment(Settings(ollama_host="0.0.0.0:11999"))["OLLAMA_HOST"] == "0.0.0.0:11999"
