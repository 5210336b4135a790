"""Numbers and dates, against what a person would write."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from rag import errors
from rag.errors import AnswerdeskError
from rag.schema import Language
from rag.tracing import STAGES
from rag.translate import LOCALE_FOLDER, UnknownSentence, is_known, load_catalogue, template, translate
from ui.components.turn_view import ANSWER_WORDS, EVIDENCE_WORDS, REPLY_WORDS
from ui.formats import format_age, format_clock, format_date, format_duration, format_elapsed, language_of_locale
from ui.views.performance import _row_words

NOW = datetime(2026, 8, 2, 15, 4, tzinfo=UTC)

ENGLISH, CHINESE = (load_catalogue(LOCALE_FOLDER, language, "ui") for language in ("en", "zh"))


@pytest.mark.parametrize(
    ("milliseconds", "english", "chinese"),
    [
        (0.4, "0 ms", "0 毫秒"),
        (99.4, "99 ms", "99 毫秒"),
        (123, "0.12 s", "0.12 秒"),
        (4180, "4.2 s", "4.2 秒"),
        (19_400, "19 s", "19 秒"),
        (125_000, "125 s", "125 秒"),
    ],
)
def test_durations(milliseconds: float, english: str, chinese: str) -> None:
    assert (format_duration(milliseconds, "en"), format_duration(milliseconds, "zh")) == (english, chinese)


def test_dates() -> None:
    assert format_date(date(2026, 8, 2), "en") == "2 Aug 2026"
    assert format_date(date(2026, 12, 31), "zh") == "2026年12月31日"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0:00"), (9.9, "0:09"), (600, "10:00"), (3599, "59:59"), (3600, "1:00:00"), (90_061, "25:01:01")],
)
def test_how_long_something_has_been_running(seconds: float, words: str) -> None:
    assert format_elapsed(timedelta(seconds=seconds)) == words


def test_a_clock_names_the_day_only_where_it_is_another() -> None:
    assert format_clock(NOW.replace(hour=9, minute=5), NOW, "en") == "09:05"
    assert format_clock(NOW - timedelta(days=1), NOW, "zh") == "8月1日 15:04"
    assert format_clock(NOW - timedelta(days=1), NOW, "en") == "08-01 15:04"


@pytest.mark.parametrize(
    ("age", "language", "words"),
    [
        (timedelta(seconds=20), "en", "just published"),
        (timedelta(minutes=59), "zh", "59 分钟前发布"),
        (timedelta(hours=47), "en", "47 h old"),
        (timedelta(days=3), "zh", "3 天前发布"),
        (timedelta(seconds=-5), "en", "just published"),
    ],
)
def test_ages(age: timedelta, language: Language, words: str) -> None:
    assert format_age(NOW - age, NOW, language) == words


def test_each_text_is_in_its_language() -> None:
    assert len(ENGLISH) > 700
    assert [english for english in ENGLISH.values() if re.search(r"[\u4e00-\u9fff，。：；（）]", english)] == []
    names = re.compile(r"\{\w+\}|DeepSeek-R1|Enter|Shift|Ctrl\+C|GB|GGUF|safetensors|Ollama|BF16|API|MRR@10|nDCG@10")
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


def test_no_sentence_that_the_browser_fills_chooses_words_by_a_count() -> None:
    filled_there = {*ANSWER_WORDS, *EVIDENCE_WORDS, *REPLY_WORDS}
    assert [name for name in sorted(filled_there) if "|" in template(f"ui.{name}", "en")] == []


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en-GB", "en"), ("zh-TW", "zh"), ("ZH", "zh"), ("fr", "en"), ("", "zh"), (None, "zh")],
)
def test_the_browsers_language(locale: str | None, language: str) -> None:
    assert language_of_locale(locale) == language


def test_a_question_that_is_cut_for_a_row_says_so() -> None:
    assert _row_words("Short?") == "Short?"
    cut = _row_words("word " * 60)
    assert cut.endswith("word…")
    assert len(cut) <= 110
