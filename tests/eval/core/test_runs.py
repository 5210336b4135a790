"""A run's folder: what it measured, records that go on, and files that are none of ours."""

from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from eval.__main__ import main
from eval.core.conditions import answer_conditions
from eval.core.runs import Run, keep_asking, read_records
from rag.errors import SettingsError
from rag.settings import Settings, load_settings
from rag.storage.calibration import save_calibration
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


def test_a_run_is_not_resumed_with_other_settings_which_are_named(tmp_path: Path) -> None:
    run, folder = Run(tmp_path / "monday"), tmp_path / "shop"
    usual = Settings(data_dir=tmp_path)

    def begin(settings: Settings) -> None:
        run.begin({"command": "answers", "settings": answer_conditions(settings, folder)}, ())

    begin(usual)
    begin(usual.changed(answer_budget_tokens=usual.answer_budget_tokens, parallel_slots=7))  # slots change no figure
    with pytest.raises(SettingsError, match=r"\(candidates, temperature\)"):
        begin(usual.changed(candidates=5, temperature=0.9))
    folder.mkdir()
    (folder / "glossary.csv").write_text("robo,vacuum robot\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"\(glossary\)"):
        begin(usual)
    (folder / "glossary.csv").unlink()
    save_calibration(folder, {"search": {"threshold": 0.5}})
    with pytest.raises(SettingsError, match=r"\(calibration\)"):
        begin(usual)


def test_a_run_of_an_older_program_does_not_say_its_settings(tmp_path: Path) -> None:
    run = Run(tmp_path / "monday")
    run.begin({"command": "retrieval"}, ())
    with pytest.raises(SettingsError, match=r"\(settings\)"):
        run.begin({"command": "retrieval", "settings": {"candidates": 50}}, ())


def test_a_run_goes_on_whose_identity_holds_tuples(tmp_path: Path) -> None:
    run = Run(tmp_path / "monday")
    identity = {"attacks": [{"traces": ("MOON-12", "moon")}]}
    run.begin(identity, ())
    run.begin(identity, ())
    with pytest.raises(SettingsError, match="attacks"):
        run.begin({"attacks": [{"traces": ("MOON-12",)}]}, ())


def test_a_run_is_found_by_name_or_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    run = Run.named("monday", settings)
    with pytest.raises(SettingsError, match="no run monday"):
        Run.find("monday", settings)
    run.begin({}, ())
    assert Run.find("monday", settings) == run
    assert Run.find(str(run.folder), settings).folder == run.folder


BAD_NAMES = ["", ".", "..", "../monday", "a/b", "/tmp/a", ".hidden", "a\\b", "a\nb", "a\0b", "x" * 101, "\x1b[31m"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_stays_in_the_folder_of_runs(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="1 to 100 letters") as raised:
        Run.named(name, Settings(data_dir=tmp_path))
    assert "\x1b" not in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["monday", "2026-11-27-101112-2", "周一", "v1.2_b", "x" * 100, "a+b"])
def test_usual_names_are_taken(name: str, tmp_path: Path) -> None:
    assert Run.named(name, Settings(data_dir=tmp_path)).folder == tmp_path / "runs" / name


@pytest.mark.parametrize("name", [name for name in BAD_NAMES if name])
def test_looking_for_a_run_takes_any_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no run"):
        Run.find(name, Settings(data_dir=tmp_path))


@pytest.mark.parametrize("command", [[], ["retrieval"], ["refusal"], ["attacks"], ["load"]])
def test_every_command_refuses_a_path_as_a_name(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    load_settings.cache_clear()
    try:
        assert main([*command, "--run", ".."]) == 2
    finally:
        load_settings.cache_clear()
    assert "1 to 100 letters" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


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
