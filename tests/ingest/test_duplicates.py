"""What is there twice is told, exactly or nearly, at once and of all."""

import json

import pytest

from ingest.commands import duplicate_lines, summary_line
from ingest.duplicates import (
    Duplicates,
    NearPair,
    RepeatedLine,
    find_boilerplate,
    find_duplicates,
    new_duplicates,
    sketch,
    sketch_new,
)
from rag.errors import KnowledgeBaseMissing
from rag.storage.writer import KnowledgeWriter
from tests.ingest.conftest import Desk

LONG = "\n\n".join(
    f"Step {number}: press button {number} of the machine for {number + 3} seconds and wait until lamp {number} is lit."
    for number in range(20)
)


@pytest.fixture
def twice(desk: Desk) -> Desk:
    """One text at two places, and a third that differs in one word."""
    desk.write("a/steps.md", LONG)
    desk.write("b/copy.md", LONG.replace("\n\n", "\n\n\n"))
    desk.write("c/changed.md", LONG.replace("lamp 7", "bulb 7"))
    return desk


@pytest.mark.slow
def test_an_ingest_tells_what_came_twice(twice: Desk) -> None:
    found = twice.ingest().duplicates
    assert found.same == (("a/steps.md", "b/copy.md"),)
    (pair,) = found.near
    assert (pair.first, pair.second) == ("a/steps.md", "c/changed.md")
    assert 0.8 <= pair.similarity < 1
    twice.write("other.md", "# Other\n\nNothing like it.")
    assert twice.ingest().duplicates == Duplicates(), "what was told is not told again"
    assert find_duplicates(twice.settings.knowledge_dir) == found
    twice.write("late.md", LONG)
    assert twice.ingest().duplicates.same == (("a/steps.md", "b/copy.md", "late.md"),)


@pytest.mark.slow
def test_what_is_gone_is_no_duplicate(twice: Desk) -> None:
    twice.ingest()
    (twice.manual / "b/copy.md").unlink()
    twice.write("c/changed.md", "Something else.")
    twice.ingest(prune=True)
    assert find_duplicates(twice.settings.knowledge_dir) == Duplicates()


@pytest.mark.slow
def test_a_knowledge_base_from_before_sketches_is_read_as_it_is(twice: Desk) -> None:
    found = twice.ingest().duplicates
    with twice.store.transaction() as connection:
        connection.execute("DELETE FROM document_sketch WHERE document_key % 2 = 0")
    assert find_duplicates(twice.settings.knowledge_dir) == found
    with twice.store.reading() as connection:
        kept = connection.execute("SELECT count(*) FROM document_sketch").fetchone()[0]
    assert kept < len(twice.documents()), "a reader writes nothing"


def test_without_a_knowledge_base(desk: Desk) -> None:
    for find in (find_duplicates, find_boilerplate):
        with pytest.raises(KnowledgeBaseMissing):
            find(desk.settings.knowledge_dir)


def test_the_similarity_is_the_share_of_runs_that_both_have() -> None:
    words = [f"w{number}" for number in range(402)]  # 400 runs of three
    for kept, expected in ((400, 1.0), (300, 0.6), (0, 0.0)):
        other = words[: kept + 2] + [f"x{number}" for number in range(400 - kept)]
        numbers = [sketch(1, " ".join(text)).numbers for text in (words, other)]
        assert float((numbers[0] == numbers[1]).mean()) == pytest.approx(expected, abs=0.15)


def test_chinese_and_empty_texts() -> None:
    text = "签收后七天内可以申请退货，运费由商家承担，退款原路返回。" * 3
    assert sketch(1, text).body != sketch(1, text + "。").body
    assert (sketch(1, "").numbers == sketch(2, " \n").numbers).all()


@pytest.mark.slow
def test_a_form_filled_in_many_times_stays_quick(desk: Desk) -> None:
    for number in range(120):
        desk.write(f"forms/{number}.md", LONG + f"\n\nName {number}.")
    desk.ingest()
    assert 100 <= len(find_duplicates(desk.settings.knowledge_dir).near) < 120 * 119 / 4


@pytest.mark.slow
def test_lines_on_page_after_page(desk: Desk) -> None:
    for number in range(6):
        desk.write(f"site/{number}.txt", f"Page {number}\n\nIts own text {number}.\n\nHome | Products | Contact us")
    desk.write("site/other.txt", "Another page\n\nwithout the  footer")
    for number in range(4):
        desk.write(f"few/{number}.txt", f"Page {number}\n\nHome | Products | Contact us")
    desk.ingest()
    (line,) = find_boilerplate(desk.settings.knowledge_dir)
    assert line == RepeatedLine(str(desk.manual / "site"), "Home | Products | Contact us", 6, 7)


def test_in_words() -> None:
    found = Duplicates((("a", "b"),), (NearPair("a", "c", 0.91),))
    repeated = (RepeatedLine("/site", "Home | Contact", 6, 7),)
    assert duplicate_lines(found, repeated, "en")[:3] == ["= a  b", "~ 0.91  a  c", "# 6/7  /site  Home | Contact"]
    assert "1 组文档" in duplicate_lines(found, repeated, "zh")[-1]
    assert summary_line(found, "en")[0].startswith("Among what is new, 1 group of documents has")
    assert summary_line(Duplicates(), "en") == []


@pytest.mark.slow
def test_sketches_are_made_once(twice: Desk) -> None:
    twice.ingest()
    writer = KnowledgeWriter(twice.settings.knowledge_dir)
    assert sketch_new(writer, 1, lambda: None) == []
    assert new_duplicates(writer, 1, []) == Duplicates()
    writer.close()


@pytest.mark.slow
def test_json(twice: Desk) -> None:
    from ingest.commands import summary_json

    report = json.loads(json.dumps(summary_json(twice.ingest(), "en")))
    assert report["duplicates"]["same"] == [["a/steps.md", "b/copy.md"]]
    assert report["duplicates"]["near"][0]["first"] == "a/steps.md"
