"""Curated answers as rows: one serves, the others are kept, and everything that happened is told."""

from datetime import date
from pathlib import Path

import pytest

from rag.storage.curated import ANSWERS_NAME, CuratedAnswers, CuratedSource, NewCurated


def new(answer: str = "Two years.", form: str = "en: how long", author: str = "Lin") -> NewCurated:
    source = CuratedSource("a.md", b"\x01" * 32, 0, 20)
    return NewCurated(form, "How long?", "en", answer, author, 3, (source,), date(2027, 1, 31))


def test_nothing_is_made_before_the_first_answer(tmp_path: Path) -> None:
    kept = CuratedAnswers(tmp_path)
    assert kept.serving("en: how long") is None
    assert kept.all() == kept.events(1) == []
    assert not (tmp_path / ANSWERS_NAME).exists()
    with pytest.raises(KeyError):
        kept.get(1)


def test_what_is_written_is_read_by_another(tmp_path: Path) -> None:
    written = CuratedAnswers(tmp_path).add(new(), "serving")
    found = CuratedAnswers(tmp_path).serving("en: how long")
    assert found == written
    assert found is not None
    assert (found.kept, found.state, found.gated) == (new(), "serving", False)


def test_a_new_answer_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    kept = CuratedAnswers(tmp_path)
    old = kept.add(new(), "serving")
    waiting = kept.add(new("Three years."), "waiting")
    assert kept.serving("en: how long") == old
    kept.approve(waiting.number, "Wang", waiting.kept.sources, 4)
    assert [one.number for one in kept.all("serving")] == [waiting.number]
    assert kept.get(waiting.number).kept.generation == 4
    assert [(event.person, event.what) for event in kept.events(old.number)] == [
        ("Lin", "written"),
        ("Wang", "replaced"),
    ]
    assert [(event.person, event.what) for event in kept.events(waiting.number)] == [
        ("Lin", "written"),
        ("Wang", "approved"),
    ]


def test_an_end_is_told_once(tmp_path: Path) -> None:
    kept = CuratedAnswers(tmp_path)
    one = kept.add(new(), "serving")
    kept.expire(one.number, "a.md")
    kept.expire(one.number, "a.md")
    kept.retire(one.number, "Wang", "wrong")
    assert kept.serving("en: how long") is None
    assert [(event.what, event.note) for event in kept.events(one.number)] == [
        ("written", ""),
        ("expired", "a.md"),
        ("retired", "wrong"),
    ]
    for end in (lambda: kept.expire(99, ""), lambda: kept.retire(99, ""), lambda: kept.approve(99, "", (), 1)):
        with pytest.raises(KeyError):
            end()
