from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag.evidence.packing import PackingLimits, pack
from rag.schema import Evidence, Figure, Retrieval
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder
from tests.support.knowledge import Article, found, publish

TODAY = date(2026, 11, 25)
LONG = [f"part {number} " + " ".join(f"w{number}x{word}" for word in range(18)) for number in range(8)]  # 20 words each


def limits(budget_tokens: int = 200, chunks: int = 5) -> PackingLimits:
    return PackingLimits(HashEmbedder().count_tokens, budget_tokens, chunks, TODAY)


def packed(store: KnowledgeStore, retrieval: Retrieval, limit: PackingLimits) -> tuple[Evidence, ...]:
    passages = pack(retrieval, store, limit)
    for number, passage in enumerate(passages, start=1):
        text = store.document(passage.document_id, retrieval.generation).text
        assert passage.number == number
        assert passage.text == text[passage.start : passage.end]
        assert passage.start <= passage.focus_start < passage.focus_end <= passage.end
    return passages


def test_what_was_not_found_is_left_out(tmp_path: Path) -> None:
    store = publish(tmp_path, Article("a.md", ["one fish", "two fish", "red fish"]))
    (passage,) = packed(store, found(store, ("a.md", 1)), limits())
    assert passage.text == "two fish"


def test_adjacent_chunks_become_one_passage_and_distant_ones_two(tmp_path: Path) -> None:
    store = publish(tmp_path, Article("a.md", LONG))
    passages = packed(store, found(store, ("a.md", 6), ("a.md", 1), ("a.md", 2)), limits(budget_tokens=60))
    assert [passage.text.count("part") for passage in passages] == [1, 2]
    assert passages[0].text.startswith("part 6")


def test_a_passage_that_begins_within_a_table_keeps_that_tables_header(tmp_path: Path) -> None:
    """The best chunk stands further down, below another heading and perhaps within another table."""
    pieces = ["## Fees", "| UK | free |", "| EU | 4.95 |\n\n## Times", "| UK | 2 days |"]
    fees, times = ("Fees", "Where | Fee"), ("Times", "Where | Days")
    article = Article("a.md", pieces, headings={0: ("Fees",), 1: fees, 2: fees, 3: times})
    store = publish(tmp_path, article)
    (both,) = packed(store, found(store, ("a.md", 3), ("a.md", 2)), limits())
    assert (both.heading_path, both.cut_header) == (("Where | Fee",), ("Where", "Fee"))
    (last,) = packed(store, found(store, ("a.md", 3)), limits())
    assert (last.heading_path, last.cut_header) == (times, ("Where", "Days"))
    (whole,) = packed(store, found(store, ("a.md", 1), ("a.md", 0)), limits())
    assert (whole.heading_path, whole.cut_header) == ((), ())


def test_a_passage_has_the_pictures_that_stand_in_it(tmp_path: Path) -> None:
    pieces = ["one [Figure]", "two fish", "[Figure: red]"]
    first, last = Figure("a" * 64, 4, 12, 100, 100), Figure("b" * 64, 24, 37, 100, 100, caption="red")
    store = publish(tmp_path, Article("a.md", pieces, figures=(first, last)))
    assert "\n\n".join(pieces)[last.start : last.end] == "[Figure: red]"
    shown = {ordinal: packed(store, found(store, ("a.md", ordinal)), limits())[0].figures for ordinal in range(3)}
    assert shown == {0: (first,), 1: (), 2: (last,)}


def test_the_same_text_in_two_documents_is_shown_once(tmp_path: Path) -> None:
    store = publish(tmp_path, Article("a.md", ["The fee is 5."]), Article("copy.md", ["The fee is\n5."]))
    passages = packed(store, found(store, ("a.md", 0), ("copy.md", 0)), limits())
    assert [passage.document_id for passage in passages] == ["a.md"]


def test_a_near_copy_is_passed_over_and_makes_room_unless_a_figure_differs(tmp_path: Path) -> None:
    rule = "Returns of kettles, lamps and robots are free within thirty days of delivery if the box is there, for {}."
    store = publish(
        tmp_path,
        Article("a.md", [rule.format("GBP 5")]),
        Article("near.md", [rule.format("GBP 5") + " Thanks."]),
        Article("other.md", [rule.format("GBP 7")]),
        Article("last.md", ["Something else."]),
    )
    ranking = found(store, ("a.md", 0), ("near.md", 0), ("other.md", 0), ("last.md", 0))
    passages = packed(store, ranking, limits(chunks=3))
    assert [passage.document_id for passage in passages] == ["a.md", "other.md", "last.md"]


def test_rules_still_to_come_come_last_and_say_so(tmp_path: Path) -> None:
    later = Article("later.md", ["60 days"], metadata={"valid_from": "2099-01-01"})
    now = Article("now.md", ["30 days"], metadata={"valid_from": "2025-01-01"})
    store = publish(tmp_path, later, now)
    passages = packed(store, found(store, ("later.md", 0), ("now.md", 0)), limits())
    assert [(one.document_id, one.starts_on) for one in passages] == [("now.md", None), ("later.md", date(2099, 1, 1))]


def test_expired_rules_come_last_and_say_so(tmp_path: Path) -> None:
    old = Article("old.md", ["14 days"], metadata={"valid_until": "2026-03-31"}, updated_on=date(2025, 2, 10))
    new = Article("new.md", ["30 days"], metadata={"valid_until": "2027-03-31"}, audience="internal")
    odd = Article("odd.md", ["60 days"], metadata={"valid_until": "soon"})
    store = publish(tmp_path, old, new, odd)
    passages = packed(store, found(store, ("old.md", 0), ("new.md", 0), ("odd.md", 0)), limits())
    assert [passage.document_id for passage in passages] == ["new.md", "odd.md", "old.md"]
    assert [passage.expired_on for passage in passages] == [None, None, date(2026, 3, 31)]
    assert [passage.audience for passage in passages] == ["internal", "public", "public"]
    asked = pack(found(store, ("old.md", 0), ("new.md", 0)), store, limits(), "I ordered it in March 2026")
    assert [passage.document_id for passage in asked] == ["old.md", "new.md"]


def test_no_more_chunks_than_asked_for(tmp_path: Path) -> None:
    store = publish(tmp_path, *(Article(f"{name}.md", [f"text {name}"]) for name in "abc"))
    ranking = found(store, ("b.md", 0), ("c.md", 0), ("a.md", 0))
    assert [passage.document_id for passage in packed(store, ranking, limits(chunks=2))] == ["b.md", "c.md"]


def test_nothing_found_packs_nothing(tmp_path: Path) -> None:
    store = publish(tmp_path, Article("a.md", ["text"]))
    assert packed(store, found(store), limits()) == ()


@pytest.mark.parametrize("text", ["One two three. Four five six. " * 10, "字" * 400])
def test_a_chunk_larger_than_the_budget_is_cut(tmp_path: Path, text: str) -> None:
    store = publish(tmp_path, Article("a.md", [text]))
    (passage,) = packed(store, found(store, ("a.md", 0)), limits(budget_tokens=64))
    assert 0 < HashEmbedder().count_tokens(passage.text) <= 64


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    sizes=st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=6), min_size=1, max_size=4),
    budget=st.integers(5, 150),
    data=st.data(),
)
def test_the_budget_holds_and_passages_are_disjoint(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], budget: int, data: st.DataObject
) -> None:
    articles = [
        Article(
            f"{name}.md", [" ".join(f"{name}{piece}w{word}" for word in range(size)) for piece, size in enumerate(row)]
        )
        for name, row in zip("abcd", sizes, strict=False)
    ]
    places = [(article.document_id, ordinal) for article in articles for ordinal in range(len(article.pieces))]
    ranking = data.draw(st.lists(st.sampled_from(places), unique=True, max_size=6))
    store = publish(tmp_path_factory.mktemp("kb"), *articles)
    passages = packed(store, found(store, *ranking), limits(budget))
    assert sum(HashEmbedder().count_tokens(passage.text) for passage in passages) <= budget
    spans = sorted((passage.document_id, passage.start, passage.end) for passage in passages)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in pairwise(spans))
    assert bool(passages) == bool(ranking)
    store.close()
