"""``answerdesk keys``: what it does, what it says in both languages, and how it ends."""

import io
import json
import re
import sys
from pathlib import Path

import pytest

from api import key_commands
from rag.errors import ApiKeyRefused
from rag.people.audit import AuditTrail
from rag.people.keys import ApiKeys
from rag.settings import Settings
from rag.storage.access import Access
from rag.storage.writer import KnowledgeWriter


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path)
    monkeypatch.setattr(key_commands, "load_settings", lambda: made)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("COLUMNS", "200")
    return made


def made(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert key_commands.main(["add", *words, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_json_loses_no_letter_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, "ascii", errors="replace", write_through=True))
    assert key_commands.main(["add", "客服", "--right", "ask", "--json"]) == 0
    assert key_commands.main(["list", "--json"]) == 0
    made, listed = shown.getvalue().splitlines()
    assert [json.loads(made)["name"], json.loads(listed)[0]["name"]] == ["客服", "客服"]


def test_a_secret_is_printed_once_and_alone(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert key_commands.main(["add", "widget", "--right", "ask"]) == 0
    told = capsys.readouterr()
    assert "shown this once" in told.err
    secret = told.out.strip()
    assert told.out == secret + "\n"
    with ApiKeys(settings.people_path) as keys:
        key = keys.key_of(secret)
    assert (key.name, key.rights, key.scopes, key.owner) == ("widget", {"ask"}, {"default"}, "")
    assert (key.audience, key.expires_at) == ("public", None)
    assert key.key_id in told.err
    for words in (["list"], ["list", "--json"], ["revoke", key.key_id]):
        assert key_commands.main(words) == 0
        assert secret[3:] not in "".join(capsys.readouterr())


def test_a_key_is_made_listed_rolled_and_revoked(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    key = made(
        capsys, "shop [b]", "--right", "feedback", "--right", "ask", "--all", "--audience", "public", "--days", "30",
        "--questions-a-minute", "5",
    )  # fmt: skip
    key_id, secret = str(key.pop("key_id")), str(key.pop("secret"))
    assert (key["rights"], key["scopes"], key["audience"]) == (["ask", "feedback"], None, "public")
    assert (key["questions_a_minute"], key["revoked"]) == (5, False)
    assert key["expires_at"]
    assert key_commands.main(["roll", key_id]) == 0
    rolled = capsys.readouterr()
    assert "the old one is refused" in rolled.err
    with ApiKeys(settings.people_path) as keys:
        with pytest.raises(ApiKeyRefused):
            keys.key_of(secret)
        keys.note_use(keys.key_of(rolled.out.strip()).key_id)
    assert key_commands.main(["list"]) == 0
    listed = capsys.readouterr().out
    for shown in (key_id, "shop [b]", "ask, feedback", "everything", "customers", ":00 UTC"):
        assert shown in listed
    assert key_commands.main(["revoke", key_id]) == 0
    assert "is revoked" in capsys.readouterr().out
    assert key_commands.main(["list"]) == 0
    assert "revoked" in capsys.readouterr().out
    with AuditTrail(settings.people_path) as trail:
        entries = trail.entries()
    assert [entry.what for entry in entries] == ["key_revoked", "key_rolled", "key_added"]
    assert all(entry.who.startswith("terminal (") for entry in entries)


def test_changes_are_told_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    key = made(capsys, "widget", "--right", "ask")
    assert key_commands.main(["roll", str(key["key_id"]), "--json"]) == 0
    rolled = json.loads(capsys.readouterr().out)
    assert rolled["secret"] not in ("", key["secret"])
    assert key_commands.main(["revoke", str(key["key_id"]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["revoked"] is True


def test_a_scope_is_a_knowledge_bases_name_or_what_it_asks_for(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, scope in (("hr", "staff"), ("shop", "")):
        writer = KnowledgeWriter(settings.knowledge_folder / name)
        writer.set_access(Access(scope))
        writer.close()
    key = made(capsys, "widget", "--right", "ask", "--kb", "staff", "--kb", "shop")
    assert key["scopes"] == ["shop", "staff"]


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        (
            ("add", "widget", "--right", "ask", "--kb", "none"),
            "no knowledge base called none",
            "没有名为 none 的知识库",
        ),
        (("add", " ", "--right", "ask"), "1 to 64 characters", "1 至 64 个字符"),
        (
            ("add", "widget", "--right", "publish", "--audience", "public"),
            "can only have these rights: ask, users, retrieve, feedback, documents:read",
            "只能拥有以下权限：ask, users, retrieve, feedback, documents:read",
        ),
        (("add", "widget", "--right", "ask", "--questions-a-minute", "0"), "at least one question", "至少为每分钟一个"),
        (("revoke", "unknown"), "no valid API key with the id unknown", "没有编号为 unknown"),
        (("roll", "unknown"), "no valid API key with the id unknown", "没有编号为 unknown"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    words: tuple[str, ...],
    english: str,
    chinese: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for language, said in (("C", english), ("zh_CN.UTF-8", chinese)):
        monkeypatch.setenv("LC_ALL", language)
        assert key_commands.main(words) == 7
        told = capsys.readouterr()
        assert said in told.err
        assert (told.out, told.err.count("\n")) == ("", 1)
    assert key_commands.main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    "words",
    [
        [], ["add", "widget"], ["add", "widget", "--right", "everything"], ["revoke"],
        ["add", "widget", "--right", "ask", "--days", "0"], ["add", "widget", "--right", "ask", "--days", "nan"],
        ["add", "widget", "--right", "ask", "--days", "99999999999"],
        ["add", "widget", "--right", "ask", "--all", "--kb", "shop"],
    ],
)  # fmt: skip
def test_a_wrong_option_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        key_commands.main(words)
    assert ended.value.code == 2


def test_help_has_examples_and_says_that_the_secret_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        key_commands.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "answerdesk keys add widget" in said
    assert "printed once" in said
    assert "只在标准输出中显示一次" in said


def test_no_keys_yet_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert key_commands.main(["list"]) == 0
    assert "no API keys yet" in capsys.readouterr().err
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert key_commands.main(["list"]) == 0
    assert "尚无 API 密钥" in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["60", "80"])
def test_a_list_of_keys_that_no_terminal_shows_has_a_line_for_each(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    name = "integration-of-the-customer-relations-department"
    made(capsys, name, "--right", "ask", "--right", "retrieve", "--right", "documents:read", "--days", "30")
    assert key_commands.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "…" not in listed
    (row,) = [line for line in listed.splitlines() if name in line]
    assert "documents:read" in row
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", row)
