"""Replies by the customer's language, counted by hand."""

import pytest

from eval.core.question_sets import LANGUAGE_CASES
from eval.desk.asking import GuardTrace, Record
from eval.desk.cases import DeskCase, load_cases, select_languages
from eval.desk.figures import outcomes_of
from eval.desk.languages import is_written_in, language_figures, language_rows
from rag.errors import SettingsError
from rag.schema import Answer


def _case(case_id: str, language: str, *, answerable: bool = True) -> DeskCase:
    facts = (("30",),) if answerable else ()
    return DeskCase(case_id, language, "plain", ("?",), answerable, must_contain_any=facts)


def _record(case_id: str, text: str, *, draft: str = "", refused: bool = False) -> Record:
    answer = Answer(text, "en", refused, "", (), (), (), "m", True, 1, lane="refusal" if refused else "model")
    return Record(case_id, "own", answer=answer, guards=GuardTrace(draft=draft))


CASES = (
    _case("de-1", "de"),
    _case("de-2", "de"),
    _case("de-3", "de", answerable=False),
    _case("de-4", "de", answerable=False),
    _case("ja-1", "ja"),
)
RECORDS = (
    _record("de-1", "Sie haben 30 Tage Zeit."),
    _record("de-2", "You have 30 days to return it."),
    _record(
        "de-3", "Die Wissensdatenbank kennt das nicht.", draft="Das kostet 5 Euro und ist nicht frei.", refused=True
    ),
    _record("de-4", "Die Wissensdatenbank kennt das nicht.", refused=True),
    _record("ja-1", "15日です。"),
)


def test_replies_are_counted_whether_they_stand_or_not() -> None:
    figures = language_figures(outcomes_of(CASES, RECORDS))
    german = figures["de"]
    assert (german["n"], german["replies"], german["in_language"]) == (4, 3, 2)
    assert (german["answerable"], german["right"], german["refused"]) == (2, 2, 0)
    assert (german["unanswerable"], german["refused_rightly"]) == (2, 2)
    assert (figures["ja"]["in_language"], figures["ja"]["right"]) == (1, 0)
    assert (figures["all"]["n"], figures["all"]["replies"], figures["all"]["in_language"]) == (5, 4, 3)
    assert dict(language_rows(figures))["de"] == ["4", "3", "2", "2", "2", "0", "2", "2"]


def test_chinese_and_english_cases_need_no_table() -> None:
    case = _case("en-1", "en")
    assert language_figures(outcomes_of([case], [_record("en-1", "30 days.")])) == {}


def test_only_some_languages_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.case_id for one in select_languages(CASES, "ja")] == ["ja-1"]
    assert select_languages(CASES, "") == CASES
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    with pytest.raises(SettingsError, match="no case in the language fr; there are de, ja"):
        select_languages(CASES, "de,fr")


def test_twenty_questions_are_asked_in_each_of_ten_languages() -> None:
    cases = load_cases(LANGUAGE_CASES)
    languages = {one.language for one in cases}
    assert languages == {"de", "fr", "es", "pt", "ru", "ja", "ko", "vi", "id", "ar"}
    for language in languages:
        own = [one for one in cases if one.language == language]
        assert (len(own), sum(one.answerable is True for one in own)) == (20, 16)


@pytest.mark.parametrize(
    ("text", "language", "is_in"),
    [
        ("Sie haben 30 Tage Zeit.", "de", True),
        ("Vous avez 30 jours pour le renvoyer.", "fr", True),
        ("Tiene 30 días para devolverlo.", "es", True),
        ("Você tem 30 dias para devolver.", "pt", True),
        ("Tiene 30 días para devolverlo.", "pt", False),
        ("У вас есть 30 дней, чтобы вернуть Ember K2.", "ru", True),
        ("Bạn có 30 ngày để trả lại.", "vi", True),
        ("Anda dapat mengembalikannya dalam 30 hari.", "id", True),
        ("لديك 30 يوماً لإرجاع Ember K2.", "ar", True),
        ("30일 이내에 반품할 수 있습니다.", "ko", True),
        ("Drift R3용 Tidewell Care는 2년에 GBP 69입니다.", "ko", True),
        ("A Latch S5 permite guardar até 20 códigos PIN.", "pt", True),
        ("Garansi berlaku selama 6 bulan.", "id", True),
        ("You have 30 days to return it.", "de", False),
        ("您有 30 天时间退货。", "ja", False),
        ("您有 30 天时间退货。", "zh", True),
    ],
)
def test_the_language_of_a_reply_is_told_by_script_and_small_words(text: str, language: str, *, is_in: bool) -> None:
    assert is_written_in(text, language) is is_in


def test_what_has_no_letters_or_is_unknown_is_in_no_language() -> None:
    assert is_written_in("30", "de") is None
    assert is_written_in("Du har 30 dagar.", "sv") is None
