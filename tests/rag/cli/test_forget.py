"""``python -m rag forget`` and ``retention``: what they say in both languages, how they ask, and how they end."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import rag.__main__ as command
from rag.errors import printable
from rag.people.audit import AuditTrail
from rag.settings import Settings, load_settings
from rag.storage.turn_store import TurnStore
from tests.rag.command import environment, run_rag

NAME = "Quirina Zebrowska"


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TurnStore]:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    load_settings.cache_clear()
    store = TurnStore(tmp_path / "turns.db")
    for base in ("default", "shop"):
        turn = store.add(f"Where is the order of {NAME}?", session="lin", language="en", knowledge_base=base)
        store.update(replace(turn, state="stopped"))
    yield store
    store.close()
    load_settings.cache_clear()


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, words: str, *, terminal: bool = True) -> None:
    monkeypatch.setattr("sys.stdin", (Terminal if terminal else io.StringIO)(words))


@pytest.mark.parametrize(
    ("words", "code", "left"), [("y\n", 0, 0), ("是\n", 0, 0), ("\n", 1, 2), ("no\n", 1, 2), ("", 1, 2)]
)
def test_it_asks_before_it_erases(
    turns: TurnStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    words: str,
    code: int,
    left: int,
) -> None:
    typed(monkeypatch, words)
    with caplog.at_level(logging.DEBUG):
        assert command.main(["forget", "--customer", "QUIRINA zebrowska"]) == code
    said = capsys.readouterr()
    assert "This is about the customer:" in said.out
    assert "  default: 1 question with its answer\n  shop: 1 question with its answer" in said.out
    assert ("Erased:" in said.out, "Nothing was erased." in said.err) == (left == 0, left == 2)
    assert len(turns.list(None)) == left
    assert "zebrowska" not in (said.out + said.err + caplog.text).lower()


@pytest.mark.usefixtures("turns")
def test_it_asks_nobody_where_nobody_sits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed(monkeypatch, "y\n", terminal=False)
    assert command.main(["forget", "--customer", NAME]) == 2
    assert "--yes" in capsys.readouterr().err


def test_a_dry_run_counts_and_changes_nothing(turns: TurnStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["forget", "--customer", NAME, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "turns": {"default": 1, "shop": 1},
        "running": 0,
        "cached": 0,
        "curated": 0,
        "questions": 0,
        "runs": 0,
        "left": [],
    }
    assert len(turns.list(None)) == 2


@pytest.mark.slow
def test_a_name_from_standard_input_is_erased_and_recorded(
    turns: TurnStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, f"{NAME}\n", terminal=False)
    assert command.main(["forget", "--customer", "-", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["turns"] == {"default": 1, "shop": 1}
    assert turns.list(None) == ()
    trail = AuditTrail(tmp_path / "people.db")
    (entry,) = trail.entries()
    trail.close()
    assert (entry.what, entry.details["turns"]) == ("customer_forgotten", 2)
    assert entry.who.startswith("terminal (") and NAME.lower() not in entry.about
    assert command.main(["forget", "--customer", NAME, "--yes"]) == 0
    said = capsys.readouterr().out
    assert "Nothing here is about this customer." in said
    assert f"erased before, on {datetime.now(UTC):%Y-%m-%d}" in said


def test_files_that_hold_the_words_still_make_it_end_with_1(
    turns: TurnStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "letter.txt").write_text(f"Dear {NAME}")
    assert command.main(["forget", "--customer", NAME, "--yes"]) == 1
    said = capsys.readouterr()
    assert "These files still hold the words" in said.err
    assert printable(str(tmp_path / "uploads" / "letter.txt")) in said.err
    assert turns.list(None) == ()


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("text", ["", "a", "?"])
def test_too_little_to_look_for_is_one_sentence(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["forget", "--customer", text, "--yes"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_retention_deletes_what_is_old(turns: TurnStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["retention"]) == 0
    assert capsys.readouterr().out == "0 questions older than 365 days were deleted.\n"
    assert command.main(["retention", "--days", "0"]) == 0
    assert capsys.readouterr().out.startswith("Questions are kept forever")
    assert command.main(["retention", "--days", "-1"]) == 2
    said = capsys.readouterr().err
    assert "--days -1: must be at least 0" in said and "TURN_RETENTION_DAYS" not in said
    with turns._database.transaction() as connection:
        connection.execute("UPDATE turn SET created_at = '2020-01-01T00:00:00+00:00' WHERE knowledge_base = 'shop'")
    assert command.main(["retention", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"turns": 1, "days": 365}


@pytest.mark.slow
def test_as_a_user_runs_it_in_chinese(turns: TurnStore, tmp_path: Path) -> None:
    env = environment(tmp_path, LANG="zh_CN.UTF-8")
    ran = run_rag("forget", "--customer", NAME, "--yes", env=env)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("已删除：\n  default：1 条提问及回答")
    assert turns.list(None) == ()
    assert "--dry-run" in run_rag("forget", "--help", env=env).out
    assert Settings().turn_retention_days == 365
