"""Progress: a bar where somebody looks, a line now and then where not."""

import io
from types import SimpleNamespace

import pytest

from ingest import console
from ingest.console import ProgressConsole
from ingest.summary import IngestProgress
from rag.errors import DocumentUnreadable
from rag.schema import Language


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def run(out: io.StringIO) -> None:
    failure = DocumentUnreadable(path="[bold]a.pdf", reason="malformed")
    with ProgressConsole("en", out) as show:
        for progress in (
            IngestProgress("reading", files_done=0, files_total=2),
            IngestProgress("reading", files_done=1, files_total=2, failure=failure),
            IngestProgress("reading", files_done=2, files_total=2),
            IngestProgress("embedding", passages_done=0, passages_total=128),
            IngestProgress("embedding", passages_done=64, passages_total=128),
            IngestProgress("publishing"),
        ):
            show(progress)


def test_a_pipe_gets_failures_and_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    run(out)
    said = "it is damaged, or its name has the wrong extension; export it again"
    assert out.getvalue() == f"[bold]a.pdf could not be read: {said}\n"

    monkeypatch.setattr(console, "_LINE_EVERY_SECONDS", 0.0)
    out = io.StringIO()
    run(out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Reading 0/2 files"
    assert lines[5].startswith("Embedding 64/128 passages, ")
    assert lines[5].endswith("/s")


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    out = Terminal()
    run(out)
    assert "[bold]a.pdf could not be read" in out.getvalue()
    assert "━" in out.getvalue()


def test_while_files_are_read_the_passages_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    # The module's clock alone: threads of other tests read the real one.
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: 0.0))
    show = ProgressConsole("en", io.StringIO())
    for now, progress, figures in (
        (4.0, IngestProgress("reading", 0, 40), ("files", "0/40 files", 0, 40)),
        (
            8.0,
            IngestProgress("reading", 10, 40, 64, 200),
            ("passages", "10/40 files, 64 passages embedded, 8.0/s", 64, 800),
        ),
        (
            9.0,
            IngestProgress("describing", 40, 40, 64, 200, pictures_done=3, pictures_total=7),
            ("pictures", "3/7 pictures", 3, 7),
        ),
        (12.0, IngestProgress("embedding", 40, 40, 600, 750), ("passages", "600/750 passages, 50.0/s", 600, 750)),
    ):
        assert show._figures(progress, now) == figures


@pytest.mark.parametrize(("language", "said"), [("en", "workers helping: 2"), ("zh", "协助的工作进程：2")])
def test_how_many_workers_help_is_said(language: Language, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_LINE_EVERY_SECONDS", 0.0)
    out = io.StringIO()
    with ProgressConsole(language, out) as show:
        show(IngestProgress("embedding", passages_done=0, passages_total=9))
        show(IngestProgress("embedding", passages_done=1, passages_total=9, workers=2))
    first, second = out.getvalue().splitlines()
    assert second.endswith(said) and said[:3] not in first
