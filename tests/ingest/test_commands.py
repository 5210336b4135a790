"""What the command says beside ingesting, as a user reads it."""

import json
from pathlib import Path

import pytest

from ingest import __main__ as command_module
from ingest.__main__ import main
from ingest.commands import detail_lines
from rag.people.audit import AuditTrail
from rag.settings import load_settings
from rag.storage.contact_details import NewDetail
from tests.ingest.conftest import Desk


@pytest.fixture
def command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The command over an ingested manual of which one document has changed since."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(command_module, "load_settings", lambda: desk.settings)
    monkeypatch.setattr(command_module, "open_embedder", lambda settings: desk.embedder)
    load_settings.cache_clear()
    desk.ingest()
    desk.write("returns/deadline.md", "# Deadline\n\nReturn it within 14 days.")
    return desk


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_diff(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(command.manual), "--diff"]) == 0
    assert said(capsys) == [
        "~ returns/deadline.md",
        "Would add 0 (+), change 1 (~), move 0 (>); 0 are gone (-), which --prune retires; 3 unchanged, "
        "0 unreadable (!). Nothing was written.",
    ]
    assert main([str(command.manual), "--diff", "--json"]) == 0
    assert json.loads(said(capsys)[0])["changed"] == ["returns/deadline.md"]


@pytest.mark.slow
def test_diff_names_what_it_cannot_read(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    command.write("broken.pdf", "not a PDF")
    assert main([str(command.manual), "--diff"]) == 1
    assert any(line.startswith("! ") and "broken.pdf" in line for line in said(capsys))


@pytest.mark.slow
def test_a_long_list_is_cut(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        command.write(f"many/{number:02}.md", f"Number {number}.")
    assert main([str(command.manual), "--diff"]) == 0
    assert "+ ... and 5 more" in said(capsys)


@pytest.mark.slow
def test_check_and_repair(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert said(capsys)[0].startswith("Generation 1 is sound: 4 documents")
    (command.store.generation_folder(1) / "en-base.faiss").unlink()
    assert main(["--check"]) == 1
    out = said(capsys)
    assert out[0].startswith("The vector index: 1 fault,")
    assert out[1] == "Generation 1 is damaged; mend it with: python -m ingest --repair"
    command.embedder.embedded.clear()
    assert main(["--repair"]) == 0
    assert said(capsys)[-1] == "Mended: generation 2."
    assert command.embedder.embedded == []  # the vectors themselves were sound
    assert main(["--check", "--json"]) == 0
    assert json.loads(said(capsys)[0])["findings"] == []
    assert main(["--repair"]) == 0
    assert command.store.require_generation() == 2


@pytest.mark.slow
def test_history_and_rollback(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(command.manual)])
    said(capsys)
    assert main(["--rollback"]) == 0
    assert said(capsys)[0].startswith("Generation 1 serves again, as generation 3: 4 documents")
    assert main(["--history"]) == 0
    newest, second, first = said(capsys)
    assert newest.startswith("*    3")
    assert newest.endswith("generation 1 again")
    assert second.endswith("+0 ~1 -0")
    assert first.endswith("+4 ~0 -0")
    assert main(["--rollback", "9"]) == 3
    assert "Generation 9 cannot be restored; see which ones can" in capsys.readouterr().err
    assert main(["--history", "--json"]) == 0
    rows = json.loads(said(capsys)[0])
    assert [(row["generation"], row["restorable"]) for row in rows] == [(3, True), (2, True), (1, True)]


@pytest.mark.parametrize("option", ["--check", "--history", "--rollback", "--list", "--repair"])
def test_without_a_knowledge_base(
    option: str, desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command_module, "load_settings", lambda: desk.settings)
    assert main([option]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["C", "zh_CN"])
def test_new_addresses_are_told_and_confirmed(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    told, confirmed = {
        "C": (
            "@ new, not confirmed: host evil.example (fees.md)",
            "Confirmed: 1 new address or instruction of generation 2.",
        ),
        "zh_CN": ("@ 新出现，尚未确认：host evil.example（fees.md）", "已确认第 2 代中 1 条新的联系方式和指令。"),
    }[language]
    command.write("fees.md", "# Fees\n\nPay at https://evil.example/pay.")
    assert main([str(command.manual), "--diff"]) == 0
    assert told in said(capsys)
    assert main([str(command.manual), "--diff", "--json"]) == 0
    assert json.loads(said(capsys)[0])["new_details"] == [{"detail": "host evil.example", "document_ids": ["fees.md"]}]
    assert main([str(command.manual)]) == 0
    assert told in said(capsys)
    assert main(["--confirm"]) == 0
    assert confirmed in said(capsys)
    trail = AuditTrail(command.settings.people_path)
    assert ("confirmed", command.settings.knowledge_base) in [(one.what, one.about) for one in trail.entries()]
    trail.close()
    assert main(["--confirm", "--json"]) == 0
    assert json.loads(said(capsys)[0]) == {"generation": 2, "confirmed": 0}


def test_an_address_of_many_documents_says_how_many_more_there_are() -> None:
    names = ("a.md", "b.md", "c.md", "d.md", "e.md")
    told = detail_lines([NewDetail("host evil.example", names), NewDetail("phone 0900", names[:2])], "en")
    assert told[:2] == [
        "@ new, not confirmed: host evil.example (a.md, b.md, c.md ... and 2 more)",
        "@ new, not confirmed: phone 0900 (a.md, b.md)",
    ]
