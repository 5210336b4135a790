"""The catalogues say the same in every language, and hold what the code names and nothing else."""

import shutil
from pathlib import Path

import pytest

from rag.setup import environment
from rag.translate import LOCALE_FOLDER, UnknownSentence, load_catalogue
from tests.support import catalogues


@pytest.mark.slow
def test_the_catalogues_and_the_code_agree() -> None:
    assert catalogues.problems() == []


@pytest.fixture
def locale(tmp_path: Path) -> Path:
    return shutil.copytree(LOCALE_FOLDER, tmp_path / "locale")


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def _introduced_differences(locale: Path) -> list[str]:
    """Return the differences of a changed copy that the catalogues themselves do not have."""
    known = catalogues.differences(LOCALE_FOLDER)
    return [one for one in catalogues.differences(locale) if one not in known]


@pytest.mark.slow
def test_a_missing_key_another_placeholder_and_an_empty_sentence_are_found(locale: Path) -> None:
    _change(locale / "zh" / "errors.toml", 'QuestionEmpty = "请输入问题。"\n', "")
    _change(locale / "zh" / "errors.toml", "问题共 {characters} 个字符", "问题共 {letters} 个字符")
    _change(locale / "zh" / "ui" / "desk.toml", 'ask = "提问"', 'ask = ""')
    _change(locale / "zh" / "ui" / "desk.toml", 'retry = "重试"', 'retry = "重试"\nretried = "重试"')
    assert _introduced_differences(locale) == [
        "zh: errors.QuestionEmpty is missing",
        "zh: errors.QuestionTooLong has other placeholders than in English",
        "zh: ui.ask is empty",
        "zh: ui.retried is not in English",
    ]


@pytest.mark.slow
def test_words_that_another_count_decides_are_found(locale: Path) -> None:
    _change(locale / "en" / "curated.toml", "{count:answer|answers}", "{counts:answer|answers}")
    assert _introduced_differences(locale) == ["en: curated.exported chooses words by counts, which it does not say"]


def test_keys_that_the_code_names_and_keys_that_nothing_names_are_found(tmp_path: Path) -> None:
    (tmp_path / "locale" / "en").mkdir(parents=True)
    sentences = 'kept = "Kept."\nlost = "Lost."\nrole_agent = "Agent"\nsaid = "Said."\none = "1"\n'
    (tmp_path / "locale" / "en" / "desk.toml").write_text(sentences, encoding="utf-8")
    (tmp_path / "rag").mkdir()
    (tmp_path / "rag" / "page.py").write_text(
        "translate('desk.kept' if done else 'desk.gone', language)\n"
        "translate(f'desk.role_{role}', language)\n"
        "def say(key, **values):\n    print(translate(f'desk.{key}', language, **values))\n"
        "say('said')\nsay('unsaid')\n",
        encoding="utf-8",
    )
    assert catalogues.problems(tmp_path / "locale", tmp_path) == [
        "rag/page.py:1: there is no sentence desk.gone",
        "rag/page.py:6: there is no sentence desk.unsaid",
        "en: nothing uses desk.lost",
        "en: nothing uses desk.one",
    ]


def test_a_catalogue_in_two_files_has_each_key_once(tmp_path: Path) -> None:
    folder = tmp_path / "en" / "desk"
    folder.mkdir(parents=True)
    (folder / "a.toml").write_text('[part]\nkept = "Kept."\n', encoding="utf-8")
    (folder / "b.toml").write_text('lost = "Lost."\n', encoding="utf-8")
    assert load_catalogue(tmp_path, "en", "desk") == {"part.kept": "Kept.", "lost": "Lost."}
    (folder / "c.toml").write_text('part.kept = "Kept again."\n', encoding="utf-8")
    load_catalogue.cache_clear()
    with pytest.raises(ValueError, match=r"part\.kept is in another file"):
        load_catalogue(tmp_path, "en", "desk")
    with pytest.raises(UnknownSentence):
        load_catalogue(tmp_path, "fr", "desk")


def test_the_sentence_about_an_old_python_fills_the_same_places() -> None:
    english, chinese = environment._TOO_OLD["en"], environment._TOO_OLD["zh"]
    assert catalogues.placeholders(english) == catalogues.placeholders(chinese)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
