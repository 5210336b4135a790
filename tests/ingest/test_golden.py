"""Question files: the shipped ones and broken ones."""

import json
from pathlib import Path

import pytest

from eval.core.question_sets import GOLDEN_DIR
from ingest.golden import load_questions
from rag.errors import FileUnusable, SettingsError


def write(path: Path, *rows: object) -> Path:
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows), "utf-8"
    )
    return path


def test_a_row_becomes_a_question(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        {
            "id": "a",
            "question": "多久\u2028?",
            "lang": "zh",
            "answerable": True,
            "answers": ["7天"],
            "key_points": [["7天", "七天"]],
            "relevant": ["zh/x.md"],
            "meta": {"kind": "typo"},
        },
        "",
        {"id": "b", "question": "why", "answers": ["because", "so"], "relevant": ["d"]},
    )
    first, second = load_questions(path)
    assert (first.language, first.key_points, first.kind) == ("zh", (("7天", "七天"),), "typo")
    assert first.question == "多久\u2028?"
    assert second.key_points == (("because", "so"),), "a public set's answers are alternatives"
    assert second.language == "en"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["{broken"], "q.jsonl:1: not JSON"),
        (["[1]"], "an object is expected"),
        ([{"id": 3, "question": "x"}], "must be strings"),
        ([{"id": "a", "q": "x"}], "q.jsonl:1: 'question' is missing"),
        ([{"question": "x"}], "q.jsonl:1: 'id' is missing"),
        ([{"id": "a", "question": ""}], "q.jsonl:1: 'question' is empty"),
        ([{"id": "a", "question": " \u3000"}], "q.jsonl:1: 'question' is empty"),
        ([{"id": "a", "question": "x", "answers": "y"}], "a list of strings"),
        ([{"id": "a", "question": "x"}, {"id": "a", "question": "y"}], "is there twice"),
        ([], "there are no questions"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, rows: list[object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_questions(write(tmp_path / "q.jsonl", *rows))


def test_a_file_of_a_windows_editor_begins_with_a_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", {"id": "a", "question": "why"})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert [one.question for one in load_questions(path)] == ["why"]


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable) as raised:
        load_questions(tmp_path / "nowhere.jsonl")
    assert raised.value.text("zh") == f"无法使用 {tmp_path}/nowhere.jsonl：没有这个文件或文件夹。"
    (tmp_path / "gbk.jsonl").write_bytes("退款".encode("gb18030"))
    with pytest.raises(FileUnusable, match=r"gbk\.jsonl cannot be used: it is not UTF-8 text\."):
        load_questions(tmp_path / "gbk.jsonl")


def test_the_golden_questions_are_what_they_promise() -> None:
    questions = load_questions(GOLDEN_DIR)
    knowledge = GOLDEN_DIR.parent / "knowledge"
    rows = {
        json.loads(line)["id"] for file in knowledge.rglob("*.jsonl") for line in file.read_text("utf-8").splitlines()
    }
    assert len(questions) >= 120
    assert {question.language for question in questions} == {"zh", "en"}
    assert sum(not question.answerable for question in questions) / len(questions) >= 0.24
    for question in questions:
        assert question.answerable == bool(question.key_points) == bool(question.relevant), question.question_id
        for document in question.relevant:
            assert document in rows or (knowledge / document).is_file(), f"{question.question_id}: {document}"
