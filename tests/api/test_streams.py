"""What of a turn is news to a client that has a part of it."""

from dataclasses import replace
from datetime import UTC, datetime

from api.streams import StreamPlace
from rag.schema import Evidence
from rag.turns.snapshot import TurnSnapshot

WAITING = TurnSnapshot("1", "anna", datetime(2026, 1, 2, tzinfo=UTC), "How long?", "en")


def passage(number: int) -> Evidence:
    return Evidence(
        number=number, document_id="a", document_path="a", title="", heading_path=(), text="x", start=0, end=1,
        focus_start=0, focus_end=1, language="en",
    )  # fmt: skip


def names(place: StreamPlace, turn: TurnSnapshot) -> list[str]:
    return [name for name, _ in place.new_parts(turn)]


def test_passages_are_told_once_and_again_when_a_second_search_found_more() -> None:
    place = StreamPlace()
    assert names(place, WAITING) == []
    first = replace(WAITING, answerable=True, evidence=(passage(1),))
    assert names(place, first) == ["retrieved"]
    assert names(place, first) == []
    resumed = StreamPlace.parse(str(place))
    assert names(resumed, first) == []
    assert names(resumed, replace(first, evidence=(passage(1), passage(2)))) == ["retrieved"]


def test_that_nothing_was_found_is_told_once() -> None:
    place = StreamPlace()
    nothing = replace(WAITING, answerable=False)
    assert names(place, nothing) == ["retrieved"]
    assert names(place, nothing) == names(StreamPlace.parse(str(place)), nothing) == []


def test_a_place_in_the_queue_is_told_when_it_changes() -> None:
    place = StreamPlace()
    queued = replace(WAITING, state="queued", ahead=2, wait_seconds=9.8)
    assert names(place, queued) == ["queued"]
    assert names(place, queued) == names(place, replace(queued, wait_seconds=9.1)) == []
    assert names(place, replace(queued, wait_seconds=8.9)) == ["queued"]
    assert names(place, replace(queued, wait_seconds=None)) == ["queued"]
    assert names(place, replace(queued, wait_seconds=None)) == []
    assert names(place, replace(queued, ahead=1, wait_seconds=None)) == ["queued"]
    assert names(StreamPlace.parse(str(place)), replace(queued, ahead=1, wait_seconds=None)) == ["queued"]
