"""Lines of set-up, on a terminal and elsewhere."""

import io
from types import SimpleNamespace

import pytest

import rag.terminal
from rag.setup import console
from rag.setup.console import Console, Outcome


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_step_prints_one_line_with_its_way_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=iter([10.0, 12.34]).__next__))
    Console("en", out).step(lambda: Outcome("Ollama", "built", {"variant": "haswell"}))
    assert out.getvalue() == "Ollama: built from source for this CPU (haswell), 2.3 s\n"


def test_the_same_in_chinese() -> None:
    out = io.StringIO()
    Console("zh", out).step(lambda: Outcome("Ollama", "here"))
    assert out.getvalue() == "Ollama：已就绪，0.0 秒\n"


def test_without_a_terminal_progress_is_a_word_every_15_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(rag.terminal, "time", SimpleNamespace(monotonic=iter([0.0, 5.0, 15.0, 20.0, 31.0]).__next__))
    with Console("en", out).progress("downloading", "x.bin") as update:
        for done in (1_000_000, 2_000_000, 3_000_000, 4_000_000):
            update(done, 10_000_000)
    assert out.getvalue().splitlines() == ["  downloading x.bin: 2/10 MB, 15 s", "  downloading x.bin: 4/10 MB, 31 s"]


def test_on_a_terminal_the_bar_is_gone_when_it_is_done() -> None:
    out = Terminal()
    with Console("en", out).progress("building", "Ollama", in_bytes=False) as update:
        update(1, 3)
        update(3, 3)
    assert "building Ollama" in out.getvalue()
