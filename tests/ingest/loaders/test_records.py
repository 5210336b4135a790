"""JSON: exports of any shape, and anything else as text."""

import json
from pathlib import Path

import pytest

from ingest.loaders.source import Limits
from rag.schema import Document
from tests.ingest.loaders.loading import load_all, load_one, reason, texts, told

PAIRS = [{"question": "Can I return it?", "answer": "Within 7 days."}, {"question": "Is it free?", "answer": "Yes."}]
EXPECTED = {"faq.json!/Can I return it?": "Within 7 days.", "faq.json!/Is it free?": "Yes."}


@pytest.mark.parametrize(
    "export",
    [
        PAIRS,
        {"data": PAIRS},
        {"code": 0, "data": {"items": PAIRS, "total": 2}},
        {"faq": {"categories": [{"name": "a", "entries": PAIRS[:1]}, {"name": "b", "entries": PAIRS[1:]}]}},
        {"1": PAIRS[0], "2": PAIRS[1]},
        [{"Q": pair["question"], "A": pair["answer"]} for pair in PAIRS],
        [{"问题": pair["question"], "答案": pair["answer"]} for pair in PAIRS],
        [{"问": pair["question"], "答": pair["answer"]} for pair in PAIRS],
        [{"instruction": pair["question"], "input": "", "output": pair["answer"]} for pair in PAIRS],
    ],
)
def test_questions_with_answers(tmp_path: Path, export: object) -> None:
    found = load_all(tmp_path, "faq.json", json.dumps(export, ensure_ascii=False))
    assert texts(found) == EXPECTED
    assert [item.title for item in found if isinstance(item, Document)] == ["Can I return it?", "Is it free?"]


def test_what_stands_beside_a_question(tmp_path: Path) -> None:
    record = {
        "id": 7, "问题": ["怎么退货？", "如何退？"], "答案": ["联系客服。", "寄回。"], "url": "https://h.example/7",
        "updated": "2026-08-01", "category": "退货", "tags": ["a"],
    }  # fmt: skip
    document = load_one(tmp_path, "faq.json", json.dumps([record], ensure_ascii=False))
    assert (document.document_id, document.title, document.source) == ("7", "怎么退货？", "https://h.example/7")
    assert document.text == "如何退？\n\n- 联系客服。\n- 寄回。"
    assert (str(document.updated_on), document.metadata) == ("2026-08-01", {"category": "退货", "format": "json"})


def test_a_bad_record_costs_itself_only(tmp_path: Path) -> None:
    found = load_all(tmp_path, "faq.json", json.dumps([*PAIRS, "text", {"question": "Why?", "answer": ""}, {}]))
    assert texts(found) == EXPECTED
    assert told(found) == [("row", "record 3"), ("empty", "record 4"), ("row", "record 5")]


def test_articles(tmp_path: Path) -> None:
    found = load_all(tmp_path, "a.json", json.dumps({"articles": [{"title": "Fees", "content": "None."}]}))
    assert texts(found) == {"a.json!/Fees": "None."}


def test_any_other_json_is_text(tmp_path: Path) -> None:
    document = load_one(tmp_path, "shop.json", json.dumps({"name": "Tidewell", "open": [9, 18], "at": {"zip": "1"}}))
    assert document.text == "name: Tidewell\nopen:\n  - 9\n  - 18\nat: zip: 1"


def test_rows_in_a_file_with_the_wrong_ending(tmp_path: Path) -> None:
    rows = "\n".join(json.dumps(pair) for pair in PAIRS)
    assert texts(load_all(tmp_path, "faq.json", rows)) == EXPECTED


def test_what_is_no_json_and_limits(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.json", "{'a': 1}") == "malformed"
    assert reason(tmp_path, "b.json", "[" * 100_000) == "nested"
    assert reason(tmp_path, "c.json", json.dumps(PAIRS), Limits(parts=1)) == "too_many"
    assert reason(tmp_path, "d.json", " \n ") == "empty"
