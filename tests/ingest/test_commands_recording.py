"""What the command line changes is in the record of changes, under the name of the terminal's user."""

import getpass
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ingest import __main__ as command_module
from ingest.__main__ import main
from rag.people.audit import AuditTrail, terminal_user
from rag.settings import Settings, load_settings
from tests.ingest.conftest import Desk
from tests.ingest.test_gate import QUESTIONS, TOPICS, bury, question_file

Taken = Sequence[tuple[str, str, str, Mapping[str, object]]]


@pytest.fixture
def command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The command over a manual, run by lin."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("LOGNAME", "lin")
    monkeypatch.setattr(command_module, "load_settings", lambda: desk.settings)
    monkeypatch.setattr(command_module, "open_embedder", lambda settings: desk.embedder)
    return desk


def recorded(settings: Settings) -> Taken:
    trail = AuditTrail(settings.people_path)
    entries = [(one.who, one.what, one.about, dict(one.details)) for one in trail.entries()]
    trail.close()
    return entries[::-1]


@pytest.mark.slow
def test_what_is_published_taken_back_or_opened_is_taken_down_once(command: Desk) -> None:
    assert main([str(command.manual)]) == 0
    assert main([str(command.manual)]) == 0  # nothing had changed
    command.write("returns/deadline.md", "# Deadline\n\nReturn it within 14 days.")
    assert main([str(command.manual), "--diff"]) == 0
    assert main([str(command.manual)]) == 0
    assert main(["--rollback"]) == 0
    assert main(["--scope", "finance"]) == 0
    (command.store.generation_folder(3) / "en-base.faiss").unlink()
    assert main(["--repair"]) == 0
    who = "terminal (lin)"
    assert recorded(command.settings) == [
        (who, "published", "default", {"generation": 1, "added": 4, "changed": 0}),
        (who, "published", "default", {"generation": 2, "added": 0, "changed": 1}),
        (who, "rolled_back", "default", {"generation": 3, "restored": 1}),
        (who, "setting", "default", {"scope": "finance", "audience": "public"}),
        (who, "published", "default", {"generation": 4, "added": 0, "changed": 0}),
    ]


@pytest.mark.slow
def test_a_generation_that_is_held_back_is_no_change(command: Desk, tmp_path: Path) -> None:
    for name, text in TOPICS.items():
        command.write(name, text)
    main([str(command.manual)])
    assert main(["--questions", str(question_file(tmp_path / "q.jsonl", QUESTIONS))]) == 0
    bury(command)
    assert main([str(command.manual)]) == command_module.SHUT_OUT
    assert [entry[1] for entry in recorded(command.settings)] == ["published"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "begins"), [("C.UTF-8", "Done, but not in the record"), ("zh_CN.UTF-8", "已完成，但未能写入变更记录")]
)
def test_a_record_that_cannot_be_written_is_told_and_what_was_done_stays(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, locale: str, begins: str
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    command.settings.people_path.parent.mkdir(parents=True, exist_ok=True)
    command.settings.people_path.write_bytes(b"no database" * 200)
    assert main([str(command.manual)]) == 1
    assert command.store.require_generation() == 1
    error = capsys.readouterr().err
    assert begins in error
    assert "Traceback" not in error
    assert main(["--audience", "internal"]) == 1
    assert begins in capsys.readouterr().err


def test_the_user_is_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal_user() == f"terminal ({getpass.getuser()})"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(uid: int) -> object:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert terminal_user() == f"terminal ({os.getuid()})"


@pytest.mark.slow
def test_the_command_itself_takes_down_what_it_opens(tmp_path: Path) -> None:
    environment = {**os.environ, "ANSWERDESK_DATA_DIR": str(tmp_path), "LOGNAME": "mei", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "ingest", "--audience", "internal"]
    subprocess.run(command, env=environment, check=True, capture_output=True, cwd=Path(__file__).parents[2])
    load_settings.cache_clear()
    assert [entry[:3] for entry in recorded(Settings(data_dir=tmp_path))] == [("terminal (mei)", "setting", "default")]
