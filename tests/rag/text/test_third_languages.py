"""Customers' languages: told where they are certain, and Chinese or English everywhere else."""

import json
from pathlib import Path

import pytest

from eval.core.question_sets import DESK_CASES, GOLDEN_DIR, LANGUAGE_CASES
from rag.text.language import (
    customer_language,
    is_certainly_not_in,
    prompt_language,
    third_language,
    third_language_after,
)

ASKED = {
    "de": "wie lang is die garantie auf die akkus",
    "fr": "ça coûte combien le retour ?",
    "es": "cuanto dura la garantía de las baterías",
    "pt": "quanto tempo é a garantia?",
    "it": "quanto costa la spedizione?",
    "nl": "hoe lang is de garantie?",
    "pl": "ile trwa gwarancja?",
    "ru": "сколько гарантия?",
    "ja": "保証は何年？",
    "ko": "보증 몇 년이에요",
    "vi": "bảo hành bao lâu vậy shop",
    "id": "berapa lama garansinya?",
    "ar": "كم مدة الضمان",
    "th": "รับประกันกี่ปี",
    "tr": "garanti ne kadar sürüyor?",
}


@pytest.mark.parametrize(("language", "question"), ASKED.items())
def test_a_short_question_is_in_its_language(language: str, question: str) -> None:
    assert customer_language(question) == language
    assert prompt_language(question) == "en"


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("How long is the warranty?", "en"),
        ("warranty Drift R3?", "en"),
        ("E07", "en"),
        ("ok", "en"),
        ("https://hilfe.example/garantie", "en"),
        ("Which one is the Café au lait?", "en"),
        ("What does „Garantie“ mean?", "en"),
        ("保修多久", "zh"),
        ("“Wie lange ist die Garantie?”是什么意思", "zh"),
        ("Drift R3 の保修多久", "zh"),
    ],
)
def test_chinese_and_english_stay_what_they_are(question: str, language: str) -> None:
    assert third_language(question) == ""
    assert customer_language(question) == language


@pytest.mark.slow
@pytest.mark.parametrize("path", [GOLDEN_DIR / "en.jsonl", GOLDEN_DIR / "zh.jsonl", DESK_CASES])
def test_no_question_of_the_sample_is_taken_for_a_third_language(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    asked = [line["turns"][-1]["user"] if "turns" in line else line["question"] for line in lines]
    assert [question for question in asked if third_language(question)] == []


@pytest.mark.slow
def test_of_two_hundred_questions_one_at_most_is_mistaken() -> None:
    lines = [json.loads(line) for line in LANGUAGE_CASES.read_text(encoding="utf-8").splitlines()]
    mistaken = [line["id"] for line in lines if customer_language(line["turns"][-1]["user"]) != line["lang"]]
    assert len(lines) == 200
    assert len(mistaken) <= 1


def test_what_is_too_short_to_tell_is_in_the_language_of_what_came_before() -> None:
    assert third_language_after("L-29?", ASKED["de"]) == "de"
    assert third_language_after("and how do I return it?", ASKED["de"]) == ""
    assert third_language_after("怎么退", ASKED["de"]) == ""
    assert third_language_after("L-29?", "How long?") == ""


def test_a_neighbouring_language_is_no_other_one() -> None:
    assert not is_certainly_not_in("Запишете номера на кутията.", "ru")
    assert is_certainly_not_in("Die Garantie beträgt drei Jahre.", "ru")
