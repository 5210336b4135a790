"""The log that turns over, and the pauses between restarts."""

from pathlib import Path

import pytest

from rag.ollama.supervisor import RotatingLog, restart_delay_seconds


def test_log_turns_over_and_keeps_the_newest(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "o.log", limit_bytes=10, kept=2)
    for letter in "abcd":
        log.write(letter.encode() * 11 + b"\n")
    log.write(b"end")
    log.close()
    files = {file.name: file.read_text(encoding="utf-8").strip() for file in tmp_path.iterdir()}
    assert files == {"o.log": "end", "o.log.1": "d" * 11, "o.log.2": "c" * 11}


def test_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        log = RotatingLog(tmp_path / "o.log")
        log.write(text)
        log.close()
    assert (tmp_path / "o.log").read_text(encoding="utf-8") == "one\ntwo\n"


def test_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "o.log")
    log.write(b"first\nError: port taken\n\n")
    assert log.last_line == "Error: port taken"
    log.write(b"\n")
    assert log.last_line == "Error: port taken"
    log.close()


@pytest.mark.parametrize(
    ("crashes", "seconds"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 4.0), (6, 5.0), (900, 5.0)]
)
def test_pauses_double_up_to_five_seconds(crashes: int, seconds: float) -> None:
    assert restart_delay_seconds(crashes) == seconds
