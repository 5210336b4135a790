"""``python -m ui people``: what it does, what it says in both languages, and how it ends."""

import io
import json
from pathlib import Path

import pytest

from api.addresses import own_names
from rag.people import passwords
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.settings import Settings
from rag.storage.writer import KnowledgeWriter
from ui import __main__ as desk
from ui import people_commands

PASSWORD = "long enough, rarely tried"


@pytest.fixture(autouse=True)
def settings(quick_hashes: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path)
    monkeypatch.setattr(people_commands, "load_settings", lambda: made)
    monkeypatch.setattr(desk, "load_settings", lambda: made)
    monkeypatch.setenv("LC_ALL", "C")
    typed(monkeypatch, PASSWORD)
    return made


def typed(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n" + password + "\n"))


def people(*words: str) -> int:
    return desk.main(["people", *words])


@pytest.mark.slow
def test_a_role_leaves_the_scopes_and_scopes_leave_the_role(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    made = People(settings.people_path)
    made.add("root", "admin", None, "", by="test")
    made.add("lin", "agent", ["default", "hr"], "", by="test")
    KnowledgeWriter(settings.knowledge_folder / "default").begin()
    assert people("role", "lin", "lead") == 0
    assert (made.find("lin").role, made.find("lin").scopes) == ("lead", {"default", "hr"})
    assert people("scopes", "lin", "--kb", "default") == 0  # the whole list, as it was typed
    assert (made.find("lin").role, made.find("lin").scopes) == ("lead", {"default"})
    assert "lin may read: default" in capsys.readouterr().out
    made.close()


def test_the_terminal_is_the_owners_and_bound_by_no_admins_limits(settings: Settings) -> None:
    made = People(settings.people_path)
    made.add("root", "admin", None, "", by="test")
    made.add("ann", "admin", ["default"], "", by="test")
    for words in (("scopes", "ann", "--all"), ("password", "root"), ("role", "root", "agent")):
        assert people(*words) == 0
    trail = AuditTrail(settings.people_path)
    assert all(entry.who.startswith("terminal (") for entry in trail.entries(3))
    trail.close()
    made.close()


@pytest.mark.slow
def test_somebody_is_let_in_changed_and_put_out(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert people("add", "root", "--role", "admin", "--all", "--oidc") == 0
    assert people("add", "lin") == 0
    assert people("role", "lin", "lead") == 0
    assert people("scopes", "lin", "--all") == 0
    assert people("sign-out", "lin") == 0
    assert people("disable", "lin") == 0
    assert capsys.readouterr().err == ""
    assert people("list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"name": "lin", "role": "lead", "scopes": None, "disabled": True},
        {"name": "root", "role": "admin", "scopes": None, "disabled": False},
    ]
    assert people("enable", "lin") == 0
    assert people("list") == 0
    assert people("log") == 0
    out = capsys.readouterr().out
    assert "signs in elsewhere" in out
    entries = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert [(one["what"], one["about"]) for one in entries] == [
        ("person_added", "root"),
        ("person_added", "lin"),
        ("person_role", "lin"),
        ("person_scopes", "lin"),
        ("signed_out_everywhere", "lin"),
        ("person_disabled", "lin"),
        ("person_enabled", "lin"),
    ]
    assert all(one["who"].startswith("terminal (") for one in entries)
    assert PASSWORD not in out


def test_a_password_is_read_and_kept_as_a_hash(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert people("add", "lin", "--role", "admin") == 0
    typed(monkeypatch, "another good one")
    assert people("password", "lin") == 0
    kept = People(settings.people_path)
    assert passwords.matches(kept.password_of("lin"), "another good one")
    assert kept.find("lin").scopes == frozenset({"default"})
    kept.close()


@pytest.mark.parametrize(
    ("words", "code", "english", "chinese"),
    [
        (("role", "nobody", "lead"), 7, "There is no user called nobody", "没有名为 nobody 的用户"),
        (("add", "two words"), 7, "A name has 1 to 64", "用户名为 1 至 64"),
        (("add", "LIN", "--oidc"), 7, "A user called lin already exists", "已有名为 lin 的用户"),
        (("scopes", "lin", "--kb", "none"), 7, "no knowledge base called none", "没有名为 none 的知识库"),
        (("disable", "lin"), 7, "last admin", "最后一位管理员"),
        (("role", "lin", "agent"), 7, "last admin", "最后一位管理员"),
        (("password", "nobody"), 7, "There is no user called nobody", "没有名为 nobody 的用户"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    words: tuple[str, ...],
    code: int,
    english: str,
    chinese: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    people("add", "lin", "--role", "admin", "--oidc")
    for language, said in (("C", english), ("zh_CN.UTF-8", chinese)):
        monkeypatch.setenv("LC_ALL", language)
        typed(monkeypatch, PASSWORD)
        capsys.readouterr()
        assert people(*words) == code
        shown = capsys.readouterr()
        assert said in shown.err
        assert "Traceback" not in shown.err
    people("list", "--json")
    assert json.loads(capsys.readouterr().out) == [
        {"name": "lin", "role": "admin", "scopes": ["default"], "disabled": False}
    ]


def test_a_short_password_lets_nobody_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed(monkeypatch, "short")
    assert people("add", "lin") == 7
    assert "at least 10 characters" in capsys.readouterr().err
    people("list", "--json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("language", "sentence"), [("C", "read from standard input, one line"), ("zh_CN.UTF-8", "从标准输入读取一行")]
)
def test_where_nobody_can_be_asked_it_is_said_how_a_password_is_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, sentence: str
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert people("add", "lin") == 7
    assert sentence in capsys.readouterr().err


def test_a_name_is_refused_before_a_password_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert people("add", "lin") == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for name, sentence in (("a b", "A name has 1 to 64"), ("../x", "A name has 1 to 64"), ("Lin", "already exists")):
        assert people("add", name) == 7
        assert sentence in capsys.readouterr().err


def test_nobody_yet_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert people("list") == 0
    assert "Nobody yet" in capsys.readouterr().err


@pytest.mark.parametrize(("language", "said"), [("C", "Without sign-in"), ("zh_CN.UTF-8", "未启用登录")])
def test_other_machines_reach_no_desk_without_sign_in(
    language: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    monkeypatch.setattr(desk, "prepare", lambda *_: pytest.fail("it was begun all the same"))
    assert desk.main(["--address", "0.0.0.0", "--port", "0"]) == 2
    assert said in capsys.readouterr().err


def test_the_desk_is_asked_for_under_its_own_names_only() -> None:
    assert own_names("127.0.0.1", ()) == ["localhost", "127.0.0.1", "[::1]", "::1"]
    names = own_names("0.0.0.0", ["desk.example"])
    assert "desk.example" in names
    assert "*" not in names


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_password_of_another_encoding_is_refused(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    errors: str,
) -> None:
    raw = io.BytesIO("密码密码密码密码密码密码".encode("gb18030") + b"\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw, encoding=encoding, errors=errors))
    assert people("add", "lin") == 7
    assert capsys.readouterr().err == "The password is not text in the terminal's encoding.\n"


def test_the_end_of_the_input_at_the_prompt_is_no_password(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def ended(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", ended)
    assert people("add", "lin") == 7
    assert capsys.readouterr().err == "A password has at least 10 characters.\n"


def test_a_name_whose_bytes_are_no_text_is_nobodys(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert people("role", "lin\udcff", "lead") == 7
    assert "lin\ufffd" in capsys.readouterr().err
