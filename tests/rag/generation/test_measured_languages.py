"""What is told beside an answer in a third language, in both languages of the interface."""

import json
from pathlib import Path

import pytest

from rag.generation import measured_languages
from rag.generation.measured_languages import MeasuredLanguage, language_note, measured_language
from rag.schema import Answer, Lane, Language


def _answer(third: str, model: str = "m:1b", *, refused: bool = False, lane: Lane = "model") -> Answer:
    return Answer("30 Tage.", "en", refused, "", (), (), (), model, True, 1, lane=lane, third_language=third)


@pytest.fixture(autouse=True)
def _measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "measured.json"
    counts = {"replies": 20, "in_language": 18, "answerable": 16, "right": 8}
    path.write_text(json.dumps({"m:1b": {"de": counts, "ja": counts | {"in_language": 17}}}), encoding="utf-8")
    monkeypatch.setattr(measured_languages, "MEASURED_PATH", path)
    measured_languages._measurements.cache_clear()
    yield
    measured_languages._measurements.cache_clear()


def test_from_nine_tenths_on_the_language_is_kept() -> None:
    assert [MeasuredLanguage(20, count, 16, 8).keeps_language for count in (17, 18)] == [False, True]
    assert not MeasuredLanguage(0, 0, 0, 0).keeps_language


@pytest.mark.parametrize(
    ("third", "language", "words"),
    [
        ("de", "en", "In German: m:1b answered 8 of 16 test questions right"),
        ("de", "zh", "回答为德语：m:1b 在该语言的 16 个测试问题中答对 8 个"),
        ("ja", "en", "In Japanese: m:1b kept to it in 17 of 20 test replies, and 8 of 16 answers were right"),
        ("ja", "zh", "回答为日语：m:1b 的 20 个测试回复中有 17 个使用了该语言"),
        ("fi", "en", "In Finnish, in which m:1b has not been measured"),
        ("fi", "zh", "回答为芬兰语，m:1b 未在该语言上测试过"),
    ],
)
def test_a_reader_is_told_how_the_model_did(third: str, language: Language, words: str) -> None:
    note = language_note(_answer(third), language)
    assert note.startswith(words)
    assert ("Only figures" in note) or ("只核对了" in note)


def test_nothing_is_told_of_what_the_reader_can_check() -> None:
    assert language_note(_answer(""), "en") == ""
    assert language_note(_answer("de", refused=True, lane="refusal"), "en") == ""
    assert language_note(_answer("de", lane="curated"), "en") == ""


def test_the_shipped_counts_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = Path(measured_languages.__file__).with_name("measured_languages.json")
    monkeypatch.setattr(measured_languages, "MEASURED_PATH", shipped)
    measured_languages._measurements.cache_clear()
    assert measured_language("nobody:1b", "de") is None
    for languages in json.loads(shipped.read_text(encoding="utf-8")).values():
        for counts in languages.values():
            found = MeasuredLanguage(**counts)
            assert 0 <= found.in_language <= found.replies
            assert 0 <= found.right <= found.answerable
