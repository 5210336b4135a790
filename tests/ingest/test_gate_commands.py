"""What the command says of regression questions and of access, in both languages, and its exit codes."""

import json

import pytest

from ingest import console
from ingest.__main__ import SHUT_OUT, main
from ingest.commands import current_lines, gate_lines
from ingest.summary import GateReport, QuestionChange
from rag.storage.access import Access, access_to
from tests.ingest.conftest import Desk
from tests.ingest.test_gate import QUESTIONS, TOPICS, bury, question_file


@pytest.fixture
def command(command: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Four topics, ingested; the fake embedder in place of the real one."""
    monkeypatch.setattr(console, "_LINE_EVERY_SECONDS", float("inf"))  # a busy machine takes long enough for a line
    for name, text in TOPICS.items():
        command.write(name, text)
    assert main([str(command.manual)]) == 0
    question_file(command.manual.parent / "q.jsonl", QUESTIONS)
    return command


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, [*out.splitlines(), *err.splitlines()]


@pytest.mark.slow
def test_the_gate_in_words(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--gate")[0] == 3
    code, lines = run(capsys, "--questions", command.manual.parent / "q.jsonl")
    assert code == 0
    assert lines[0].startswith("default has 4 regression questions now;")
    assert lines[1] == "1 question of the file names no relevant document and was left out."
    assert run(capsys, "--gate") == (
        0,
        ["Knowledge base default: 4 of 4 regression questions find their document among the first 5."],
    )
    bury(command)
    code, lines = run(capsys, command.manual)
    assert code == SHUT_OUT
    assert lines[1].startswith("Built and not published: knowledge base default stays at generation 1, 8 documents")
    assert lines[3].startswith("NOT PUBLISHED: 3 of 4 regression questions find their document among the first 5, 4 ")
    assert "the margin is 2 points" in lines[3]
    assert lines[4].startswith("- How do I descale the kettle with acid?  (kettle.md")
    code, lines = run(capsys, command.manual, "--force")
    assert code == 0
    assert lines[3].startswith("Published by --force: 3 of 4")
    code, lines = run(capsys, "--history")
    assert lines[0].endswith("; by force, 1 question lost")
    code, lines = run(capsys, "--gate")
    assert lines[0].startswith("Knowledge base default: 3 of 4")
    assert lines[1].startswith("- How do I descale")
    assert "place" not in lines[1] or "is at place" in lines[1], "only one generation was asked"


@pytest.mark.slow
def test_the_gate_in_chinese_and_for_programs(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    _, lines = run(capsys, "--questions", command.manual.parent / "q.jsonl")
    assert lines[0] == "知识库 default 现有 4 个回归问题；今后检索结果变差的版本不会发布。"
    bury(command)
    code, lines = run(capsys, command.manual)
    assert code == SHUT_OUT
    assert lines[3].startswith("未发布：4 个回归问题中只有 3 个在前 5 篇内找到应有的文档")
    capsys.readouterr()
    assert main([str(command.manual), "--json"]) == SHUT_OUT
    report = json.loads(capsys.readouterr().out)
    assert (report["published"], report["gate"]["passed"], report["gate"]["recall_after"]) == (False, False, 0.75)
    assert report["gate"]["lost"][0]["document_ids"] == ["kettle.md"]
    main(["--gate", "--json"])
    assert json.loads(capsys.readouterr().out)["recall_after"] == 1.0


@pytest.mark.slow
def test_what_was_pruned_and_what_is_unknown_is_said(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    questions = question_file(command.manual.parent / "q.jsonl", QUESTIONS | {"Zebra?": "zebra.md"})
    (command.manual / "lock.md").unlink()
    code, lines = run(capsys, command.manual, "--prune", "--questions", questions)
    assert code == 0
    assert "1 question lost its document because --prune retired it:" in lines
    assert any(line.startswith("x Does the lock know my fingerprint?  (lock.md is not in the") for line in lines)
    assert lines[-1].startswith("1 question names documents that are not in the knowledge base")


@pytest.mark.slow
def test_questions_that_hold_nothing_back_are_said(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    questions = question_file(command.manual.parent / "q.jsonl", QUESTIONS | {"Zebra?": "zebra.md"})
    code, lines = run(capsys, "--questions", questions)
    assert code == 0
    assert lines[-1] == "1 question names only documents that are not in the knowledge base, and holds nothing back."


@pytest.mark.slow
def test_a_difference_asks_nothing(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    bury(command)
    code, lines = run(capsys, command.manual, "--diff", "--questions", command.manual.parent / "q.jsonl")
    assert (code, lines[-1][:9]) == (0, "Would add")


@pytest.mark.slow
def test_a_broken_question_file_is_one_sentence(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    broken = command.manual.parent / "broken.jsonl"
    broken.write_text("{")
    code, lines = run(capsys, "--questions", broken)
    assert (code, len(lines)) == (2, 1)
    assert f"{broken}:1: not JSON" in lines[0]


@pytest.mark.slow
def test_who_may_read_is_kept_and_shown(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--scope", "finance") == (0, ["Scope: finance; audience: public."])
    assert run(capsys, "--audience", "internal") == (0, ["Scope: finance; audience: internal."])
    assert access_to(command.store) == Access("finance", "internal")
    assert run(capsys, "--list")[1][0] == "Scope: finance; audience: internal."
    assert run(capsys, "--history")[1][0] == "Scope: finance; audience: internal."
    capsys.readouterr()
    main(["--history", "--json"])
    assert json.loads(capsys.readouterr().out)[0]["scope"] == "finance"
    code, lines = run(capsys, "--scope", "No Such!")
    assert (code, len(lines)) == (2, 1)
    assert run(capsys, "--scope", "", "--audience", "public")[1] == ["Scope: everybody; audience: public."]
    assert not run(capsys, "--history")[1][0].startswith("Scope")


@pytest.mark.slow
def test_a_rebuild_says_where_nobody_knows_who_may_read(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    folder = command.settings.knowledge_dir
    (folder / "access.json").unlink()
    (folder / "knowledge.db").write_bytes(b"no database" * 1000)
    sentence = "The access settings of the knowledge base default are lost"
    code, lines = run(capsys, command.manual, "--rebuild")
    assert code == 0 and sum(line.startswith(sentence) for line in lines) == 1
    assert run(capsys, "--list")[1][0] == "Scope: not known any more; set it with --scope."
    code, lines = run(capsys, "--audience", "internal")  # says for whom, not who may
    assert code == 3 and lines[0].startswith(sentence)
    assert run(capsys, "--scope", "hr") == (0, ["Scope: hr; audience: public."])
    assert access_to(command.store) == Access("hr")


@pytest.mark.slow
def test_every_knowledge_base_has_its_own(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, command.manual, "--kb", "books", "--scope", "finance")[0] == 0
    assert access_to(command.store) == Access()
    assert run(capsys, "--kb", "books", "--history")[1][0].startswith("Scope: finance")


def test_a_long_question_is_shortened_and_many_are_counted() -> None:
    change = QuestionChange("Why? " * 40, ("a.md",), 1, None, "b.md", present=True)
    lines = gate_lines(GateReport(50, 50, 25, 0.02, lost=(change,) * 25), "en")
    assert lines[1] == f"- {('Why? ' * 40)[:99]}…  (a.md is not among the passages found; first is b.md)"
    assert (len(lines), lines[-1]) == (22, "- ... and 5 more")
    placed = QuestionChange("Why?", ("a.md",), None, 7, "b.md", present=True)
    assert gate_lines(GateReport(2, 1, 1, 0.02, won=(placed,)), "zh")[1] == (
        "+ Why?  (a.md：排名 无 -> 7，现居首位的是 b.md)"
    )
    assert current_lines(GateReport(1, 0, 0, 0.02, lost=(placed,)), "kb", "en")[1] == (
        "- Why?  (a.md is at place 7; first is b.md)"
    )
