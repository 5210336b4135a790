"""Every sentence of the pages is in its language, and each stage and error has one."""

import re

import pytest

from rag import errors
from rag.errors import AnswerdeskError
from rag.tracing import STAGES
from rag.translate import LOCALE_FOLDER, UnknownSentence, is_known, load_room, template, translate
from ui.i18n import language_of_locale

ENGLISH, CHINESE = (load_room(LOCALE_FOLDER, language, "ui") for language in ("en", "zh"))


def test_each_text_is_in_its_language() -> None:
    assert len(ENGLISH) > 700
    assert [english for english in ENGLISH.values() if re.search(r"[\u4e00-\u9fff，。：；（）]", english)] == []
    names = re.compile(r"\{\w+\}|DeepSeek-R1|Enter|Shift|Ctrl\+C|GB|GGUF|safetensors|Ollama|BF16")
    assert [chinese for chinese in CHINESE.values() if re.search(r"[A-Za-z]{2}", names.sub("", chinese))] == []


def test_every_stage_has_a_word() -> None:
    assert [stage for stage in STAGES if not is_known(f"ui.time_{stage}")] == []


def test_every_error_has_a_sentence_that_fits() -> None:
    named = {key.removeprefix("error_") for key in ENGLISH if key.startswith("error_")}
    unknown = [name for name in named if not issubclass(getattr(errors, name, object), AnswerdeskError)]
    assert unknown == []
    assert "AnswerdeskError" in named  # so that every class has at least that one


def test_sentences_are_filled_and_templates_are_not() -> None:
    assert translate("ui.queued", "en", ahead=2, **{"from": 25, "to": 40}) == "2 ahead of you, about 25-40 s"
    assert template("ui.queued_unknown", "zh") == "前面还有 {ahead} 位；正在估算等待时间"
    with pytest.raises(KeyError):
        translate("ui.queued", "en")
    with pytest.raises(UnknownSentence):
        translate("ui.no such word", "en")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en-GB", "en"), ("zh-TW", "zh"), ("ZH", "zh"), ("fr", "en"), ("", "zh"), (None, "zh")],
)
def test_the_browsers_language(locale: str | None, language: str) -> None:
    assert language_of_locale(locale) == language
