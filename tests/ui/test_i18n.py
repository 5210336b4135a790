"""Every word of the page exists in both languages, says the same, and is used."""

import re
import string
from pathlib import Path

import pytest

from rag import errors
from rag.errors import AnswerdeskError
from rag.tracing import STAGES
from ui.i18n import WORDS, language_of_locale, template, word

UI = Path(__file__).parents[2] / "ui"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_texts_have_the_same_placeholders() -> None:
    assert len(WORDS) > 700
    assert [key for key, texts in WORDS.items() if not all(text.strip() for text in texts)] == []
    assert [key for key, (en, zh) in WORDS.items() if placeholders(en) != placeholders(zh)] == []


def test_each_text_is_in_its_language() -> None:
    assert [english for english, _ in WORDS.values() if re.search(r"[\u4e00-\u9fff，。：；（）]", english)] == []
    names = re.compile(r"\{\w+\}|DeepSeek-R1|Enter|Shift|Ctrl\+C|GB|GGUF|safetensors|Ollama|BF16")
    assert [chinese for _, chinese in WORDS.values() if re.search(r"[A-Za-z]{2}", names.sub("", chinese))] == []


@pytest.mark.slow
def test_every_word_is_used() -> None:
    files = [path for path in UI.rglob("*.py") if path.name != "i18n.py" and not path.name.endswith("words.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    of_the_quality_page = "q_(kind|why|view|state|action|outcome|trouble|measure|figure|in)_"
    of_the_models_page = "m_(view|job|step|done|action|profile|advice)_"
    of_the_knowledge_page = "kb_(fate|job|view|age|use|role|detail)_"
    built = re.compile(
        r"(error_|time_|stage_|model_|thinking_|language_|turn_state_|role_|change_|window_|states_|stage_time_|reason_"
        r"|corrected_|detail_|audience_)|"
        + of_the_knowledge_page
        + "|"
        + of_the_quality_page
        + "|"
        + of_the_models_page
    )
    states = {"searching", "queued", "reading", "thinking", "answering", "done", "refused", "stopped", "failed"}
    unused = [key for key in WORDS if f'"{key}"' not in source and not built.match(key) and key not in states]
    assert unused == []


def test_every_stage_has_a_word() -> None:
    assert [stage for stage in STAGES if f"time_{stage}" not in WORDS] == []


def test_every_error_has_a_sentence_that_fits() -> None:
    named = {key.removeprefix("error_") for key in WORDS if key.startswith("error_")}
    unknown = [name for name in named if not issubclass(getattr(errors, name, object), AnswerdeskError)]
    assert unknown == []
    assert "AnswerdeskError" in named  # so that every class has at least that one


def test_words_are_filled_and_templates_are_not() -> None:
    assert word("queued", "en", ahead=2, **{"from": 25, "to": 40}) == "2 ahead of you, about 25-40 s"
    assert template("queued_unknown", "zh") == "前面还有 {ahead} 位；正在估算等待时间"
    with pytest.raises(KeyError):
        word("queued", "en")
    with pytest.raises(KeyError):
        word("no such word", "en")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en-GB", "en"), ("zh-TW", "zh"), ("ZH", "zh"), ("fr", "en"), ("", "zh"), (None, "zh")],
)
def test_the_browsers_language(locale: str | None, language: str) -> None:
    assert language_of_locale(locale) == language
