"""A run's folder: what it measured, records that go on, and files that are none of ours."""

from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from eval.runs import Run, keep_asking, read_records
from rag.errors import SettingsError
from rag.settings import Settings
from tests.eval.cases import question

NUMBERS = TypeAdapter(tuple[str, int])


def test_a_run_keeps_its_questions_word_for_word(tmp_path: Path) -> None:
    run = Run(tmp_path / "monday")
    asked = (question("a"), question("b", answerable=False))
    run.begin({"command": "answers", "think": None}, asked)
    assert run.questions() == asked
    assert run.identity() == {"command": "answers", "think": None}
    run.begin({"command": "answers", "think": None}, asked)
    with pytest.raises(SettingsError, match="questions"):
        run.begin({"command": "answers", "think": None}, asked[:1])
    with pytest.raises(SettingsError, match="think"):
        run.begin({"command": "answers", "think": True}, asked)
    assert asdict(run.questions()[1])["answerable"] is False


def test_a_run_is_found_by_name_or_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    run = Run.named("monday", settings)
    with pytest.raises(SettingsError, match="no run monday"):
        Run.find("monday", settings)
    run.begin({}, ())
    assert Run.find("monday", settings) == run
    assert Run.find(str(run.folder), settings).folder == run.folder


@pytest.mark.parametrize("name", ["run.json", "questions.jsonl", "figures.json"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin({}, (question("a"),))
    run.save_figures({})
    (tmp_path / name).write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match=name):
        {"run.json": run.identity, "questions.jsonl": run.questions, "figures.json": run.figures}[name]()


def test_records_may_hold_every_character(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    asked: list[str] = []

    def ask(item: str) -> tuple[str, int]:
        asked.append(item)
        return item, len(asked)

    items = [(key, key) for key in ("a\u2028b", "c\x85d", "e\nf")]
    first = keep_asking(path, NUMBERS, items[:2], ask, lambda record: record[0])
    whole = keep_asking(path, NUMBERS, items, ask, lambda record: record[0])
    assert asked == ["a\u2028b", "c\x85d", "e\nf"]
    assert whole[:2] == first == read_records(path, NUMBERS)[:2]
