"""The command: what it says, in whose language, and its exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.__main__ import main, summary_json, summary_lines
from ingest.lock import writer_lock
from ingest.summary import IngestSummary
from rag.settings import Settings, load_settings
from rag.storage.store import KnowledgeStore
from tests.ingest.conftest import CountingEmbedder, Desk

REPOSITORY = Path(__file__).parents[2]


def said(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


@pytest.mark.slow
def test_the_summary(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.mp4", "b.mp4", "c.svg", "LICENSE"):
        command.write(name, "x")
    assert main([str(command.manual)]) == 0
    out, err = said(capsys)
    assert out[0] == "Added 4, changed 0, unchanged 0, moved 0, retired 0, failed 0."
    assert out[1] == "Knowledge base default, generation 1: 4 documents, 4 passages."
    assert out[2].startswith("Embedded 4 passages; ")
    assert out[3] == "Left out, for this kind of file is not supported: 2 .mp4, 1 without an ending, 1 .svg"
    assert (len(out), err) == (4, [])

    (command.manual / "运费.txt").unlink()
    assert main([str(command.manual), "--verbose"]) == 0
    out, _ = said(capsys)
    assert out[1] == "Nothing has changed: knowledge base default stays at generation 1, 4 documents, 4 passages."
    assert out[2].startswith("No passage was new; ")
    assert out[3] == "1 known document was not found any more; retire it with --prune."
    assert f"  {command.manual / 'c.svg'}" in out


@pytest.mark.slow
@pytest.mark.parametrize(("user", "times"), [(0, 1), (1000, 0)])
def test_root_is_warned_on_standard_error_where_files_are_read(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, user: int, times: int
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert main([str(command.manual), "--json"]) == 0
    told = capsys.readouterr()
    assert told.err.count("You are root") == times
    assert json.loads(told.out)["documents"] == 4
    assert main(["--list"]) == 0
    assert capsys.readouterr().err == "", "no file is read"


@pytest.mark.slow
def test_links_that_lead_out_are_read_only_where_that_is_asked_for(
    command: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials.ini").write_text("token = 12345")
    link = command.manual / "notes.txt"
    link.symlink_to("../credentials.ini")
    assert main([str(command.manual)]) == 0, "it is no failure"
    out, err = said(capsys)
    assert out[-1] == (f"Left out, for it leads out of the folders: 1 link, e.g. {link}; --follow-links reads it, too.")
    assert (err, "notes.txt" in command.documents()) == ([], False)

    assert main([str(command.manual), "--diff", "--json"]) == 0
    assert json.loads("".join(said(capsys)[0]))["links_out"] == [str(link)]
    assert main([str(command.manual), "--diff", "--follow-links"]) == 0
    assert said(capsys)[0][0] == "+ notes.txt"
    assert main([str(command.manual), "--follow-links"]) == 0
    assert said(capsys)[0][0].startswith("Added 1,")
    assert command.documents()["notes.txt"] == "token = 12345"

    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main([str(command.manual), "--prune", "--verbose"]) == 0
    out, _ = said(capsys)
    assert f"已跳过 1 个指向文件夹之外的链接，例如 {link}；如需一并读取，请加 --follow-links。" in out
    assert f"  {link}" in out
    assert "notes.txt" not in command.documents(), "what came through a link is gone"
    monkeypatch.setenv("ANSWERDESK_FOLLOW_LINKS", "true")
    load_settings.cache_clear()
    assert main([str(command.manual)]) == 0
    assert "notes.txt" in command.documents()


@pytest.mark.slow
def test_broken_files_are_named_in_the_users_language(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    broken = command.write("broken.pdf", "no pdf")
    assert main([str(command.manual)]) == 1
    out, err = said(capsys)
    assert out[0] == "新增 4，更新 0，未变 0，移动 0，移除 0，失败 1。"
    assert err == [f"无法读取 {broken}：文件已损坏，或与扩展名不符，请重新导出"]


@pytest.mark.slow
def test_json(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    command.write("broken.pdf", "no pdf")
    command.write("a.mp4", "x")
    assert main([str(command.manual), "--json", "--kb", "archive"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["added"], report["documents"], report["generation"], report["published"]) == (4, 4, 1, True)
    assert report["unsupported"] == [str(command.manual / "a.mp4")]
    (failure,) = report["failures"]
    assert (failure["reason"], failure["path"]) == ("malformed", str(command.manual / "broken.pdf"))
    assert KnowledgeStore(Settings(knowledge_base="archive").knowledge_dir).current_generation() == 1


@pytest.mark.slow
def test_list(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 3
    assert "no knowledge base" in capsys.readouterr().err
    main([str(command.manual)])
    capsys.readouterr()
    assert main(["--list"]) == 0
    out, _ = said(capsys)
    assert out[2].split() == ["1", "en", "2026-08-01", "returns/deadline.md", "Deadline"]
    assert main(["--list", "--json"]) == 0
    assert [row["document_id"] for row in json.loads(capsys.readouterr().out)][3] == "运费.txt"


@pytest.mark.slow
def test_prune_and_rebuild(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(command.manual)])
    (command.manual / "运费.txt").unlink()
    assert main([str(command.manual), "--prune"]) == 0
    command.embedder = CountingEmbedder(32)
    assert main([str(command.manual)]) == 3
    assert "--rebuild" in capsys.readouterr().err
    assert main(["--rebuild"]) == 0
    assert "generation 3: 3 documents" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nowhere"], ["empty"]])
def test_nothing_there(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(command.manual.parent)
    Path("empty").mkdir()
    assert main(arguments) == 3
    out, err = said(capsys)
    assert (out, len(err)) == ([], 1)
    assert arguments[0] in err[0]


def test_wrong_options(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert main([str(command.manual), "--kb", "No Such Name!"]) == 2
    assert "--kb No Such Name!" in capsys.readouterr().err


def test_two_at_once(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    with writer_lock(command.settings.knowledge_dir):
        assert main([str(command.manual)]) == 3
    assert capsys.readouterr().err.splitlines() == [
        f"Another ingest is writing this knowledge base (pid {os.getpid()}); wait for it to finish, then run again."
    ]


_SLOW = """
import signal, sys, time
import ingest.__main__
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
from rag.testing import HashEmbedder
class Slow(HashEmbedder):
    def embed_passages(self, texts):
        print("embedding", flush=True)
        time.sleep(SECONDS)
ingest.__main__.open_embedder = lambda settings: Slow()
sys.exit(ingest.__main__.main(sys.argv[1:]))
"""


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.nightly)], ids=["batch", "long-batch"])
def test_ctrl_c_ends_with_one_sentence_and_leaves_the_generation(
    command: Desk, number: signal.Signals, seconds: int
) -> None:
    """It waits for the batch that is being embedded, and for none longer than 20 seconds."""
    main([str(command.manual)])
    command.write("new.md", "New.")
    with subprocess.Popen(
        [sys.executable, "-c", _SLOW.replace("SECONDS", str(seconds)), str(command.manual)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"embedding\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    told = [line for line in err.decode().splitlines() if not line.startswith("You are root")]
    assert told == ["Stopped; nothing was published, and the former knowledge base serves on."]
    assert sorted(command.documents()) == ["q1", "q2", "returns/deadline.md", "运费.txt"]
    assert main([str(command.manual)]) == 0


@pytest.mark.slow
def test_help_tells_the_exit_codes() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ingest", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for words in ("--prune", "--rebuild", "--kb NAME", "python -m ingest data/knowledge", "exit codes: 0", "130"):
        assert words in run.stdout


@pytest.mark.slow
def test_what_was_published_before_ctrl_c_is_not_denied(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as first:
        first.setattr("ingest.publish.write_index", interrupted)
        assert main([str(command.manual)]) == 130
    assert said(capsys)[1] == ["Stopped; nothing was published."]
    monkeypatch.setattr("ingest.publish.tidy_up", interrupted)
    assert main([str(command.manual)]) == 130
    assert said(capsys) == ([], ["Stopped; generation 1 is published and serves."])
    monkeypatch.setattr("ingest.publish.write_index", interrupted)
    command.write("new.md", "New.")
    assert main([str(command.manual)]) == 130
    assert said(capsys)[1] == ["Stopped; nothing was published, and the former knowledge base serves on."]


@pytest.mark.slow
def test_whatever_a_file_is_called_one_line_says_it(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    command.write("line\nbreak\x1b[31m.md", "# Fine")
    command.write("bad\nname.pdf", "no pdf")
    (command.manual / os.fsdecode("你.md".encode("gbk"))).write_text("# Fine")
    assert main([str(command.manual), "--diff"]) == 1
    out, _ = said(capsys)
    assert "+ line\\nbreak\\x1b[31m.md" in out
    assert f"! {command.manual}/\\xc4\\xe3.md could not be read: its name is not UTF-8; rename it" in out
    assert any(line.startswith(f"! {command.manual}/bad\\nname.pdf could not be read:") for line in out)
    assert main([str(command.manual)]) == 1
    out, err = said(capsys)
    assert (len(out), len(err)) == (3, 2)
    assert main([str(command.manual), "--json"]) == 1
    report = json.loads(capsys.readouterr().out.encode())
    assert {failure["reason"] for failure in report["failures"]} == {"malformed", "name"}
    assert main(["--list"]) == 0
    assert any("line\\nbreak" in line for line in said(capsys)[0])


@pytest.mark.parametrize("arguments", [[""], ["manuals", ""], ["--questions", ""]])
def test_an_empty_path_is_not_the_current_folder(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(command.manual)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = said(capsys)[1][-1]
    assert "this path is empty" in told
    assert "路径为空" in told
    assert not command.settings.knowledge_dir.exists()


def test_workers_need_a_server(command: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(command.manual), "--workers"]) == 2
    assert "ANSWERDESK_DATABASE_URL" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["--list", "--workers"])
    assert ended.value.code == 2


def test_what_workers_did_is_said() -> None:
    summary = IngestSummary(
        generation=1, documents=1, chunks=9, published=True, added=1, changed=0, unchanged=0, retired=0, moved=0,
        missing=0, failures=(), embedded=9, seconds=1.0, workers={"a:1": 4, "b:2": 3},
        refused_workers={"c:3": "vectors"},
    )  # fmt: skip
    lines = summary_lines(summary, "default", "en")
    assert "Of these, 7 were embedded by workers (2)." in lines
    assert any(line.startswith("Worker c:3 was refused: the vectors it returned are broken") for line in lines)
    told = summary_json(summary, "en")
    assert (told["workers"], told["refused_workers"]) == ({"a:1": 4, "b:2": 3}, {"c:3": "vectors"})


@pytest.mark.parametrize("action", ["--list", "--check", "--history", "--duplicates", "--repair", "--rollback=1"])
def test_a_path_beside_an_option_that_does_not_use_it_is_refused(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), action])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "a path goes with no option that only looks" in said and "路径不能与" in said
