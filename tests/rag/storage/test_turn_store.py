"""Turns outlive the process, and what a dead one left running is marked so."""

import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import partial

import pytest

from rag.schema import Answer, Citation, Evidence, SpanTime, TextSpan
from rag.storage.turn_store import TurnStore
from tests.support.places import Places
from tests.support.waiting import until

EVIDENCE = Evidence(
    1, "a.md", "/x/a.md", "退货", ("运费",), "七天内可退。", 10, 16, 10, 16, "zh", date(2026, 1, 2), "internal"
)
ANSWER = Answer(
    text="七天。",
    language="zh",
    refused=False,
    thinking="想",
    citations=(Citation(0, 3, "a.md", "/x/a.md", "七天内可退。", 10, 16),),
    unsupported=(TextSpan(0, 1),),
    spans=(SpanTime("embed", 5.0),),
    model="scripted",
    stand_in=True,
    generation=3,
)


def test_a_turn_survives_a_restart_with_all_that_it_holds(places: Places) -> None:
    store = TurnStore(places("turns"))
    turn = store.add("几天可以退货？", session="s", language="zh")
    assert turn.state == "queued"
    assert turn.running
    done = replace(turn, state="done", evidence=(EVIDENCE,), answer=ANSWER, partial_text="七", thinking="想")
    store.update(done)
    store.close()
    assert TurnStore(places("turns")).get(turn.turn_id) == done


def test_a_session_lists_its_own_turns_newest_first(places: Places) -> None:
    store = TurnStore(places("turns"))
    for number in range(5):
        store.add(f"question {number}", session="a", language="en")
        store.add("somebody else's", session="b", language="en")
    assert [turn.question for turn in store.list("a", limit=2)] == ["question 4", "question 3"]
    assert [turn.question for turn in store.list("a", limit=9, offset=3)] == ["question 1", "question 0"]
    assert store.list("nobody") == ()


def test_pages_of_every_list_follow_each_other_to_its_end(places: Places) -> None:
    store = TurnStore(places("turns"))
    for number in range(7):
        store.add(f"Kettle {number}", session="ab"[number % 2], language="en", knowledge_base=f"base {number % 3}")
        store.add("toaster", session="a", language="en", knowledge_base="base 0")
    for session, bases, text, count in (
        ("a", None, "KETTLE", 4),
        ("b", None, "", 3),
        (None, {"base 0", "base 2"}, "KETTLE", 5),
    ):
        listed = partial(store.list, session, knowledge_bases=bases, containing=text)
        whole = listed()
        pages = [listed(limit=2, offset=offset) for offset in range(0, count + 2, 2)]
        assert tuple(row for page in pages for row in page) == whole
        assert len(whole) == count
        assert listed(offset=100) == ()
        followed = listed(limit=2)
        while page := listed(limit=2, before=followed[-1].turn_id):
            followed += page
        assert followed == whole
        assert listed(before="unknown") == ()


def test_a_question_asked_meanwhile_shifts_no_page(places: Places) -> None:
    store = TurnStore(places("turns"))
    turns = [store.add(f"question {number}", session="a", language="en").turn_id for number in range(4)]
    first = store.list("a", limit=2)
    store.add("asked meanwhile", session="a", language="en")
    assert [turn.turn_id for turn in store.list("a", limit=2, before=first[-1].turn_id)] == [turns[1], turns[0]]


def test_a_turn_knows_the_questions_that_it_goes_on_from(places: Places) -> None:
    store = TurnStore(places("turns"))
    turn = store.add("first", session="a", language="en")
    for question in ("second", "third", "fourth"):
        turn = store.add(question, session="a", language="en", follows=turn.turn_id)
    store.add("elsewhere", session="a", language="en")
    assert store.questions_before(store.get(turn.turn_id), 9) == ("first", "second", "third")
    assert store.questions_before(turn, 2) == ("second", "third")
    assert store.questions_before(store.add("?", session="a", language="en", follows="gone"), 9) == ()


def test_ids_are_random_and_fit_into_an_address(places: Places) -> None:
    store = TurnStore(places("turns"))
    ids = {store.add("q", session="a", language="en").turn_id for _ in range(50)}
    assert len(ids) == 50
    assert all(len(turn_id) == 16 and turn_id.replace("-", "").replace("_", "").isalnum() for turn_id in ids)


def test_unknown_ids_are_refused(places: Places) -> None:
    store = TurnStore(places("turns"))
    with pytest.raises(KeyError):
        store.get("nothing")
    turn = store.add("q", session="a", language="en")
    with pytest.raises(KeyError):
        store.update(replace(turn, turn_id="nothing"))


@pytest.mark.slow
def test_turns_left_running_by_a_dead_process_are_failed(places: Places) -> None:
    path = places("turns")
    script = (
        "import os; from dataclasses import replace\n"
        "from rag.settings import Settings; from rag.storage.turn_store import TurnStore\n"
        "store = TurnStore(Settings().turns_database)\n"
        "turn = store.add('保修多久', session='s', language='zh')\n"
        "store.update(replace(turn, state='answering', partial_text='两'))\n"
        "store.update(replace(store.add('done', session='s', language='en'), state='done'))\n"
        "os._exit(9)"
    )
    mine = TurnStore(path).add("still working", session="s", language="en")
    assert subprocess.run([sys.executable, "-c", script], check=False, env=places.environment()).returncode == 9
    store = TurnStore(path)
    done, dead, own = (store.get(row.turn_id) for row in store.list("s"))
    assert (dead.state, dead.error_class, dead.partial_text) == ("failed", "AnswerInterrupted", "两")
    assert dead.error_zh == "程序在回答完成前退出，请重新提问。"
    assert done.state == "done"
    assert own == mine


def test_a_later_process_with_the_same_number_is_not_taken_for_the_owner(places: Places) -> None:
    store = TurnStore(places("turns"))
    turn = store.add("q", session="s", language="en")
    pid, _, *machine = places.ask("turns", "SELECT owner FROM turn")[0][0].split("@")
    places.ask("turns", "UPDATE turn SET owner = ?", ("@".join([pid, "12.00", *machine]),))
    assert store.fail_abandoned() == 1
    assert store.get(turn.turn_id).state == "failed"


def test_a_turn_of_a_dead_process_is_failed_as_soon_as_it_is_looked_at(places: Places) -> None:
    store = TurnStore(places("turns"))
    dead, own = (store.add("q", session="s", language="en") for _ in range(2))
    assert not store.fail_if_abandoned(dead.turn_id)
    pid, _, *machine = places.ask("turns", "SELECT owner FROM turn")[0][0].split("@")
    mark = "@".join([pid, "12.00", *machine])
    places.ask("turns", "UPDATE turn SET owner = ? WHERE turn_id = ?", (mark, dead.turn_id))
    assert [store.fail_if_abandoned(one) for one in (dead.turn_id, own.turn_id, "unknown")] == [True, False, False]
    assert (store.get(dead.turn_id).error_class, store.get(own.turn_id).running) == ("AnswerInterrupted", True)


@pytest.mark.real
def test_a_turn_of_a_dead_machine_is_failed_as_soon_as_it_is_looked_at(
    server_places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TurnStore(server_places("turns"))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("rag.storage.turn_store.socket.gethostname", lambda: "elsewhere")
        other = TurnStore(server_places("turns"))
        turn = other.add("q", session="s", language="en")
    old = store.add("q", session="s", language="en")
    server_places.ask("turns", "UPDATE turn SET owner = '1@12.00@elsewhere' WHERE turn_id = ?", (old.turn_id,))
    server_places.ask(
        "turns", "SELECT pg_sleep(greatest(0, 6 - extract(epoch FROM now() - pg_postmaster_start_time())))"
    )
    assert not store.fail_if_abandoned(turn.turn_id)
    other.close()
    until(lambda: store.fail_if_abandoned(turn.turn_id))
    assert store.get(turn.turn_id).error_class == "AnswerInterrupted"
    assert not store.fail_if_abandoned(old.turn_id)


def test_a_turn_of_another_machine_counts_as_abandoned_after_an_hour(places: Places) -> None:
    store = TurnStore(places("turns"))
    old, new = (store.add("q", session="s", language="en") for _ in range(2))
    places.ask("turns", "UPDATE turn SET owner = '1@12.00@elsewhere'")
    places.ask("turns", "UPDATE turn SET created_at = ? WHERE turn_id = ?", ("2026-01-01T00:00:00+00:00", old.turn_id))
    assert store.fail_abandoned() == 1
    assert store.get(old.turn_id).state == "failed"
    assert store.get(new.turn_id).running
