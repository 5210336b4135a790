"""Chunks: exact offsets, nothing lost, bounded sizes, and structure kept together."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import chunking
from ingest.chunking import chunk_document
from rag.errors import DocumentUnreadable
from rag.schema import Chunk, Document
from rag.testing import HashEmbedder

REPOSITORY = Path(__file__).parents[2]
EMBEDDER = HashEmbedder()
CHUNK_TOKENS = 32


def document(text: str, kind: str = "markdown") -> Document:
    return Document("a.md", "/manual/a.md", "Manual", text, "en", metadata={"format": kind})


def chunks_of(text: str, kind: str = "markdown", chunk_tokens: int = CHUNK_TOKENS) -> tuple[Chunk, ...]:
    return chunk_document(document(text, kind), EMBEDDER, chunk_tokens)


ENGLISH = st.sampled_from(
    ["Refund in 7 days.", "E07 means a dusty sensor!", "see https://x.example/a?b=1", "v2.1 e.g. this"]
)
CHINESE = st.sampled_from(
    ["签收后七天内可以退货。", "拆封的耗材不能退！", "请在“我的订单”里申请，然后等待审核；", "第一步："]
)
STRUCTURE = st.sampled_from(
    ["# Returns", "## 退货", "### Fees", "| A | B |\n| --- | --- |\n| 1 元 | 2 |\n| 3 | 4 |",
     "```sh\nmake run\n\nx\n```",
     "- item\n- 另一项\n  1. deeper", "", "   ", "\t", "```", "|", "# ", "🙂🙂", "\u200b", "x" * 300, "长" * 300]
)  # fmt: skip
LINES = st.lists(st.one_of(ENGLISH, CHINESE, STRUCTURE, st.text(max_size=40)), min_size=1, max_size=40)
TEXTS = st.builds(lambda lines, joint: joint.join(lines), LINES, st.sampled_from(["\n", "\n\n", " "]))
KINDS = st.sampled_from(["markdown", "html", "text", "pdf", "jsonl"])


@pytest.mark.slow
@given(TEXTS.filter(str.strip), KINDS, st.sampled_from([32, 64, 128]))
def test_every_chunk_is_a_stretch_of_the_text_and_nothing_is_lost(text: str, kind: str, chunk_tokens: int) -> None:
    chunks = chunks_of(text, kind, chunk_tokens)
    covered = bytearray(len(text))
    for number, chunk in enumerate(chunks):
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.ordinal == number
        assert chunk.text.strip()
        covered[chunk.start : chunk.end] = b"\x01" * (chunk.end - chunk.start)
    assert [
        character for character, seen in zip(text, covered, strict=True) if not seen and not character.isspace()
    ] == []
    assert all(before.start < after.start and before.end < after.end for before, after in pairwise(chunks))


@pytest.mark.slow
@given(TEXTS.filter(str.strip), st.sampled_from([32, 64, 128]))
def test_no_chunk_is_much_larger_than_asked_for(text: str, chunk_tokens: int) -> None:
    for chunk in chunks_of(text, chunk_tokens=chunk_tokens):
        rows = chunk.text.lstrip().startswith("|")
        assert EMBEDDER.count_tokens(chunk.text) <= (448 if rows else 1.5 * chunk_tokens)


MIXED = """# Returns

Refund in 7 days. E07 means a dusty sensor! 签收后七天内可以退货。拆封的耗材不能退！

| A | B |
| --- | --- |
| 1 元 | 2 |
| 3 | 4 |

## 退货

- item
- 另一项
  1. deeper
  2. 第一步：请在“我的订单”里申请，然后等待审核；

```sh
make run

x
```

### Fees

"""
CUT_ALL = """
from tests.ingest.test_chunking import MIXED, chunks_of
for kind in ("markdown", "html", "text", "pdf", "jsonl"):
    print([(one.start, one.end, one.heading_path) for one in chunks_of(MIXED + "long " * 90, kind)])
"""


@pytest.mark.slow
def test_the_same_text_is_cut_the_same_way_in_every_process() -> None:
    one, other = (
        subprocess.run(
            [sys.executable, "-c", CUT_ALL], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=REPOSITORY,
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    )  # fmt: skip
    assert one == other
    assert len(one.splitlines()) == 5


@pytest.mark.slow
@given(st.integers(2, 30), st.sampled_from([32, 128]))
def test_a_long_document_is_cut_evenly(paragraphs: int, chunk_tokens: int) -> None:
    text = "\n\n".join(["One two three four five. Six seven eight nine ten."] * paragraphs)
    sizes = [EMBEDDER.count_tokens(chunk.text) for chunk in chunks_of(text, chunk_tokens=chunk_tokens)]
    assert min(sizes) >= min(chunk_tokens / 4, 10 * paragraphs)


def test_a_short_document_is_whole() -> None:
    text = "# Fees\n\nThe fee is 3 EUR.\n\n## Express\n\nIt is 9 EUR."
    (chunk,) = chunks_of(text)
    assert (chunk.text, chunk.heading_path, chunk.title) == (text, (), "Manual")


def test_headings_stay_with_what_they_head() -> None:
    body = "One two three four five six seven eight nine ten. " * 3
    text = f"# Manual\n\n{body}\n\n## Fees\n\n{body}\n\n### Express\n\n{body}"
    chunks = chunks_of(text)
    assert [chunk.heading_path for chunk in chunks if "## Fees" in chunk.text] == [("Manual", "Fees")]
    assert [chunk.heading_path for chunk in chunks if "### Express" in chunk.text] == [("Manual", "Fees", "Express")]
    assert all(not chunk.text.splitlines()[-1].startswith("#") for chunk in chunks)
    assert chunks[-1].embedded_text.startswith("Manual > Fees > Express\n")


def test_a_table_that_fits_is_one_chunk_and_a_long_one_repeats_its_header() -> None:
    words = "Before the table there is a paragraph of a dozen words or so. " * 3
    rows = "\n".join(f"| E{number:02} | sensor dusty | wipe it with a cloth |" for number in range(12))
    header = "| Code | Meaning | What to do |\n| --- | --- | --- |"
    small = f"{words}\n\n{header}\n" + "\n".join(rows.splitlines()[:2])
    assert [chunk.text for chunk in chunks_of(small) if "E00" in chunk.text] == [small.removeprefix(f"{words}\n\n")]

    chunks = chunks_of(f"{header}\n{rows}")
    assert len(chunks) > 1
    assert chunks[0].text.startswith(header)
    for chunk in chunks[1:]:
        assert chunk.heading_path[-1] == "Code | Meaning | What to do"
        assert all(line.startswith("| E") and line.endswith(" |") for line in chunk.text.splitlines())


@pytest.mark.parametrize(("first", "second"), [("Adults", "Children under 18"), ("成人", "儿童")])
def test_a_chunk_inside_a_section_of_a_table_has_its_name(first: str, second: str) -> None:
    rows = "\n".join(f"| tooth {number:02} with a crown | {number} EUR |" for number in range(12))
    text = f"| Part | Price |\n| --- | --- |\n| {first} | |\n{rows}\n| {second} | |\n{rows}"
    chunks = chunks_of(text)
    names = [line for line in text.splitlines() if line.endswith("| |")]
    assert len(chunks) > 4
    for before, chunk in pairwise(chunks):
        above = [name for name in names if text.index(name) < chunk.start]
        assert chunk.heading_path == ("Part | Price", above[-1].strip("| "))
        assert not before.text.endswith("| |"), "no section is cut from its name"


@pytest.mark.parametrize("question", ["Can I choose a car?", "能指定车型吗？"])
@pytest.mark.parametrize("mark", ["", "- "])
def test_a_chunk_inside_an_answer_has_its_question(question: str, mark: str) -> None:
    indent = "  " if mark else ""
    answer = "\n\n".join(f"{indent}Paragraph {number} says something of its own." for number in range(12))
    chunks = chunks_of(f"{mark}{question}\n\n{answer}\n\n# End\n\n{'This is the end. ' * 6}")
    assert len(chunks) > 2
    assert chunks[0].heading_path == ()
    assert {chunk.heading_path for chunk in chunks[1:-1]} == {(question,)}
    assert chunks[-1].heading_path == ("End",)


def test_a_header_leaves_room_for_the_rows() -> None:
    header = "|" + " a very long name of a column |" * 60
    rows = "\n".join("|" + f" {number} |" * 60 for number in range(20))
    chunks = chunks_of(f"{header}\n|{' --- |' * 60}\n{rows}")
    assert len(chunks) > 2
    assert all(len(heading) <= 400 for chunk in chunks for heading in chunk.heading_path)


def test_code_that_fits_is_not_cut() -> None:
    words = "Before the code there is a paragraph of a dozen words or so. " * 2
    code = "```sh\n# not a heading\nmake run\n\nmake test\n| not a table |\n```"
    chunks = chunks_of(f"{words}\n\n{code}\n\n{words}")
    assert sum(code in chunk.text for chunk in chunks) == 1
    assert not any("not a heading" in chunk.heading_path for chunk in chunks)


def test_a_paragraph_that_is_cut_repeats_its_last_short_sentence() -> None:
    sentences = [f"Sentence {number} says something of its own." for number in range(24)]
    chunks = chunks_of(" ".join(sentences), chunk_tokens=64)
    assert len(chunks) > 2
    for before, after in pairwise(chunks):
        assert after.start < before.end
        assert before.text[after.start - before.start :] in sentences
    paragraphs = chunks_of("\n\n".join(sentences), chunk_tokens=64)
    assert all(before.end <= after.start for before, after in pairwise(paragraphs))


def test_marks_mean_nothing_in_plain_text() -> None:
    text = "# comment\n" + "One two three four five six seven eight nine ten. " * 8
    assert {chunk.heading_path for chunk in chunks_of(text, "text")} == {()}


def test_a_sentence_beyond_all_bounds_is_cut_at_clauses() -> None:
    text = "，".join(["请联系客服并提供订单号"] * 40) + "。"
    chunks = chunks_of(text)
    assert len(chunks) > 5
    assert all(chunk.text.endswith(("，", "。")) for chunk in chunks)


def test_chunks_carry_the_documents_fields() -> None:
    original = replace(document("# A\n\n" + "文字。" * 200), language="zh")
    for chunk in chunk_document(original, EMBEDDER, CHUNK_TOKENS):
        assert (chunk.document_id, chunk.document_path, chunk.language) == ("a.md", "/manual/a.md", "zh")


@pytest.mark.slow
def test_a_book_without_a_full_stop_takes_seconds_not_hours() -> None:
    assert len(chunks_of("word " * 60_000, "text", 128)) > 400


class _Words(HashEmbedder):
    """Counts as the real tokenizer does: nothing for white space, one for a word however long."""

    def count_tokens(self, text: str) -> int:
        return len(text.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * 1_000_000 + "b",
        "x" * 1_000_000,
        "a " * 500_000,
        "a:\n" * 30_000,
        "- a\n" * 100_000,
        ">" * 50_000 + " a\n" + "> " * 200_000 + "b",
        "a." * 200_000,
        "|a" * 200_000 + "\n",
        "# a\n" * 50_000,
    ],
    ids=["blanks", "one word", "words", "colons", "items", "quotes", "points", "cells", "headings"],
)
def test_hostile_documents_are_cut_soon_into_passages_of_bounded_length(text: str) -> None:
    started = time.thread_time()
    chunks = chunk_document(document(text), _Words(), 128)
    assert time.thread_time() - started < 15
    assert max(len(chunk.text) for chunk in chunks) <= 11_000
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks)


def test_a_document_that_takes_too_long_to_cut_is_refused_with_its_name() -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        chunk_document(document("One sentence. " * 2000), EMBEDDER, CHUNK_TOKENS, timeout_seconds=1e-9)
    assert caught.value.details["path"] == "/manual/a.md"
    assert "ANSWERDESK_CUTTING_TIMEOUT_SECONDS" in caught.value.text("en")
    assert "ANSWERDESK_CUTTING_TIMEOUT_SECONDS" in caught.value.text("zh")


COLONS = "a:\n" * 120_000
"""Cut after each line if it must be: 64 of them fit into a chunk, and each is tried with each."""


@pytest.mark.slow
def test_the_time_ends_while_lines_that_are_all_alike_are_cut() -> None:
    started = time.thread_time()
    with pytest.raises(DocumentUnreadable):
        chunk_document(document(COLONS), _Words(), 128, timeout_seconds=0.5)
    assert time.thread_time() - started < 2 * 0.5 + 1


@pytest.mark.slow
def test_the_time_ends_while_the_ways_of_cutting_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    parts_of = chunking._parts

    def parts_at_the_last_moment(*arguments: object, **options: object) -> object:
        parts = parts_of(*arguments, **options)  # type: ignore[arg-type]
        clock.now = 61.0
        return parts

    monkeypatch.setattr(chunking, "time", clock)
    monkeypatch.setattr(chunking, "_parts", parts_at_the_last_moment)
    with pytest.raises(DocumentUnreadable):
        chunk_document(document("a:\n" * 1_000), _Words(), 128)
