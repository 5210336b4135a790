"""Every error has its words in both languages, and an exit code."""

import string

import pytest

from rag import errors
from rag.errors import AnswerdeskError, DocumentUnreadable, ModelStoppedHalfway, QuestionTooLong
from rag.translate import is_known, template


def _all(root: type[AnswerdeskError]) -> list[type[AnswerdeskError]]:
    return [root, *(below for child in root.__subclasses__() for below in _all(child))]


CLASSES = [cls for cls in _all(AnswerdeskError) if cls.__module__ == "rag.errors"]


def _placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_both_languages_have_the_same_placeholders(cls: type[AnswerdeskError]) -> None:
    english, chinese = (template(cls._sentence_key(), language) for language in ("en", "zh"))
    assert _placeholders(english) == _placeholders(chinese)
    assert english == "{reason}" or any("\u4e00" <= character <= "\u9fff" for character in chinese)


def test_each_class_that_is_raised_has_a_sentence_of_its_own() -> None:
    above = {cls for cls in CLASSES if cls.__subclasses__()} - {AnswerdeskError}
    assert {cls for cls in CLASSES if not is_known(f"errors.{cls.__name__}")} <= above


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_class_has_an_exit_code_and_is_found_where_all_are(cls: type[AnswerdeskError]) -> None:
    assert cls.exit_code > 0
    assert getattr(errors, cls.__name__) is cls


def test_details_fill_the_sentence() -> None:
    error = QuestionTooLong(characters=20000, limit=8000)
    assert error.text("en") == str(error) == "The question has 20000 characters; please keep it under 8000."
    assert error.text("zh") == "问题共 20000 个字符，请控制在 8000 个以内。"
    assert error.details == {"characters": 20000, "limit": 8000}


def test_an_unreadable_document_says_where() -> None:
    error = DocumentUnreadable(path="faq.jsonl", reason="row", where="line 3")
    sentence = "A part of faq.jsonl could not be read: a row is not valid JSON, or has no fields (line 3)"
    assert error.text("en") == sentence
    assert error.text("zh").endswith("(第 3 行)")
    with pytest.raises(ValueError, match="unknown reason"):
        DocumentUnreadable(path="x", reason="whim")


@pytest.mark.parametrize(
    ("where", "english", "chinese"),
    [
        ("line 3", "line 3", "第 3 行"),
        ("Prices, row 12", "Prices, row 12", "Prices, 第 12 行"),
        ("a.zip > faq.json, record 4", "a.zip > faq.json, record 4", "a.zip > faq.json, 第 4 条记录"),
        ("page 2", "page 2", "第 2 页"),
        ("outline 3", "outline 3", "outline 3"),
        ("", "", ""),
    ],
)
def test_the_place_in_a_file_is_told_in_each_language(where: str, english: str, chinese: str) -> None:
    error = DocumentUnreadable(path="x", reason="row", where=where)
    assert (error.place_text("en"), error.place_text("zh")) == (english, chinese)


def test_what_came_before_the_break_is_kept() -> None:
    assert ModelStoppedHalfway(partial_text="Refunds take").partial_text == "Refunds take"
