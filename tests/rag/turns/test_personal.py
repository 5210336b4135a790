"""Two knowledge bases and somebody who may use one: every way in to the other, on real files."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import AccessDenied, NotPermitted, SignInNeeded, TurnMissing
from rag.pipeline import Pipeline
from rag.storage.access import LOCAL_USER, Access, KnowledgeBases, User
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import Opinion, TurnStore
from rag.storage.writer import KnowledgeWriter
from rag.testing import SAMPLE_DOCUMENTS, build_offline_pipeline
from rag.turns import PersonalTurns, Pipelines, TurnRequest, TurnService, TurnSnapshot

pytestmark = pytest.mark.slow

SECRET = "The bonus of the board is forty-seven crowns a year and is paid in December."
QUESTION = "How high is the bonus of the board?"
LIN = User("lin", "agent", frozenset({"default"}))
MEI = User("mei", "agent", frozenset({"default", "payroll"}))
BO = User("bo", "lead", frozenset({"default"}))
ROOT = User("root", "admin")


class House:
    """Two knowledge bases; only ``payroll`` knows the secret."""

    def __init__(self, folder: Path) -> None:
        self.bases_folder = folder / "bases"
        self.bases_folder.mkdir()
        secret = replace(SAMPLE_DOCUMENTS[0], document_id="secret", title="Board", text=SECRET)
        self.built: dict[str, Pipeline] = {
            "default": build_offline_pipeline(folder / "one"),
            "payroll": build_offline_pipeline(folder / "two", [secret]),
        }
        for name, place in (("default", "one"), ("payroll", "two")):
            (self.bases_folder / name).symlink_to(folder / place / "knowledge" / "default")
        self.bases = KnowledgeBases(self.bases_folder)
        self.pipelines = Pipelines(self.bases, self.built.__getitem__)
        self.turns = TurnService(self.pipelines, TurnStore(folder / "turns.db"), 2)
        self.signed_in = {user.name: user for user in (LIN, MEI, BO, ROOT)}

    def of(self, name: str) -> PersonalTurns:
        def who() -> User:
            if name not in self.signed_in:
                raise SignInNeeded
            return self.signed_in[name]

        return PersonalTurns(self.turns, self.bases, who)

    def asked(self, user: User, base: str, question: str = QUESTION, follows: str = "") -> TurnSnapshot:
        turns = self.of(user.name)
        turn_id = turns.submit(
            f"{threading.get_ident()} {question} {base}", TurnRequest(question, base, follows=follows)
        )
        return turns.wait(turn_id, lambda _: False, timeout_seconds=30)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.turns.close()


def test_who_may_use_both_gets_the_secret_from_one_only(house: House) -> None:
    assert "forty-seven" in house.asked(MEI, "payroll").text
    assert "forty-seven" not in str(house.asked(MEI, "default"))


def test_asking_is_refused_before_a_turn_is_made(house: House) -> None:
    for base in ("payroll", "nothing", "../bases/payroll", "", "default/../payroll", "PAYROLL"):
        with pytest.raises(AccessDenied):
            house.of("lin").submit("token", TurnRequest(QUESTION, base))
    assert house.turns.history(None) == ()


def test_retrieval_is_guarded_by_itself(house: House) -> None:
    """As if a page had forgotten to ask, or had the service of everybody in its hands."""
    turn_id = house.turns.submit("token", TurnRequest(QUESTION, session="lin", knowledge_base="payroll", user=LIN))
    turn = house.turns.wait(turn_id, lambda _: False, timeout_seconds=30)
    assert turn.failure is not None
    assert (turn.state, turn.failure.kind, turn.evidence, turn.text) == ("failed", "AccessDenied", (), "")
    with pytest.raises(AccessDenied):
        house.pipelines("payroll", LIN)


def test_a_link_to_a_turn_opens_it_within_its_scope_only(house: House) -> None:
    secret = house.asked(MEI, "payroll")
    open_one = house.asked(MEI, "default")
    lin, bo = house.of("lin"), house.of("bo")
    for turns in (lin, bo):
        for reach in (
            lambda turns=turns: turns.snapshot(secret.turn_id),
            lambda turns=turns: turns.wait(secret.turn_id, lambda _: True, timeout_seconds=0),
            lambda turns=turns: turns.cancel(secret.turn_id),
        ):
            with pytest.raises(AccessDenied):
                reach()
        seen = turns.snapshot(open_one.turn_id)
        assert seen is not None
        assert seen.question == QUESTION
    with pytest.raises(TurnMissing):
        lin.snapshot("no such turn")
    assert house.of("root").snapshot(secret.turn_id) is not None


def test_nobody_listens_to_what_they_may_not_see(house: House) -> None:
    turn = house.asked(MEI, "payroll")
    house.of("mei").listen(turn.turn_id, lambda snapshot: None)()
    with pytest.raises(AccessDenied):
        house.of("lin").listen(turn.turn_id, lambda snapshot: None)


def test_the_history_and_its_search_leave_the_other_scope_out(house: House) -> None:
    house.asked(MEI, "payroll", "Secret bonus of the board?")
    house.asked(MEI, "default", "Bonus for returning an order?")
    house.asked(LIN, "default", "How long is the warranty?")
    assert [row.question for row in house.of("mei").history(containing="BONUS")] == [
        "Bonus for returning an order?",
        "Secret bonus of the board?",
    ]
    assert [row.question for row in house.of("bo").history(team=True, containing="bonus")] == [
        "Bonus for returning an order?"
    ]
    assert [row.session for row in house.of("bo").history(team=True)] == ["lin", "mei"]
    assert len(house.of("root").history(team=True)) == 3
    assert [row.question for row in house.of("lin").history()] == ["How long is the warranty?"]
    assert house.of("lin").history(containing="bonus") == ()
    assert house.of("lin").history(containing="%") == ()
    secret, bonus = (row.turn_id for row in reversed(house.of("mei").history()))
    assert [row.turn_id for row in house.of("mei").history(before=bonus)] == [secret]
    assert house.of("lin").history(before=secret) == ()
    with pytest.raises(NotPermitted):
        house.of("lin").history(team=True)


def test_what_is_taken_away_is_gone_at_the_next_call(house: House) -> None:
    secret = house.asked(MEI, "payroll")
    mei = house.of("mei")
    assert len(mei.history()) == 1
    house.signed_in["mei"] = replace(MEI, scopes=frozenset({"default"}))
    assert mei.history() == ()
    with pytest.raises(AccessDenied):
        mei.snapshot(secret.turn_id)
    del house.signed_in["mei"]
    for reach in (
        mei.history,
        lambda: mei.snapshot(secret.turn_id),
        lambda: mei.submit("t", TurnRequest("q?", "default")),
    ):
        with pytest.raises(SignInNeeded):
            reach()


def test_a_question_goes_on_from_no_turn_of_another_knowledge_base(house: House) -> None:
    secret = house.asked(MEI, "payroll")
    for user in (LIN, MEI):
        turn = house.asked(user, "default", f"And for {user.name}?", follows=secret.turn_id)
        assert turn.follows == ""
    record = house.turns._store.add("And?", session="x", language="en", follows=secret.turn_id)
    assert house.turns._store.questions_before(record, 4) == ()
    again = house.asked(MEI, "payroll", "And for the staff?", follows=secret.turn_id)
    assert again.follows == secret.turn_id


def test_another_persons_token_makes_a_turn_of_ones_own(house: House) -> None:
    first = house.of("mei").submit("the same token", TurnRequest(QUESTION, "payroll"))
    second = house.of("lin").submit("the same token", TurnRequest("How long is the warranty?", "default"))
    assert first != second


def test_only_its_owner_or_a_lead_stops_a_turn(house: House) -> None:
    turn = house.asked(MEI, "default")
    with pytest.raises(NotPermitted):
        house.of("lin").cancel(turn.turn_id)
    house.of("mei").cancel(turn.turn_id)
    house.of("bo").cancel(turn.turn_id)
    house.of("lin").cancel("no such turn")


def test_a_knowledge_base_is_its_own_scope_until_it_names_another(house: House) -> None:
    assert house.bases.names_for(LIN) == ("default",)
    assert house.bases.names_for(replace(LIN, scopes=frozenset())) == ()
    assert house.bases.names_for(ROOT) == ("default", "payroll")
    folder = (house.bases_folder / "default").resolve()
    writer = KnowledgeWriter(folder)
    writer.set_access(Access("finance", "internal"))
    writer.close()
    assert house.bases.names_for(LIN) == ()
    assert house.bases.names_for(replace(LIN, scopes=frozenset({"finance"}))) == ("default",)
    with pytest.raises(AccessDenied):
        house.bases.store(LIN, "payroll")
    assert isinstance(house.bases.store(MEI, "payroll"), KnowledgeStore)


def test_what_became_of_an_answer_is_its_askers_and_counted_by_topic_and_team(house: House) -> None:
    turn = house.asked(LIN, "default", "How long can I send an item back?")
    lin, bo, feedback = house.of("lin"), house.of("bo"), house.turns.feedback
    bo.record_outcome(turn.turn_id, "copied")
    assert feedback.outcome(turn.turn_id) is None, "a lead may look, but what became of it is not theirs to say"
    lin.record_outcome(turn.turn_id, "edited", 0.5)
    lin.judge(turn.turn_id, useful=False, reason="tone")
    assert bo.opinion(turn.turn_id) == Opinion(useful=False, reason="tone")
    (counts,) = feedback.counts_by("agent_group")
    assert (counts.name, counts.edited, counts.not_useful) == ("default", 1, 1)
    (counts,) = feedback.counts_by("topic")
    assert counts.name in {document.title for document in SAMPLE_DOCUMENTS}


def test_nobody_takes_another_ones_judgement_away(house: House) -> None:
    turn = house.asked(LIN, "default", "How long can I send an item back?")
    lin, mei, bo, feedback = house.of("lin"), house.of("mei"), house.of("bo"), house.turns.feedback
    lin.judge(turn.turn_id, useful=True)
    mei.judge(turn.turn_id, useful=False, reason="wrong")
    assert feedback.opinion(turn.turn_id) == Opinion(useful=True), "the asker's counts"
    assert mei.opinion(turn.turn_id) == Opinion(useful=False, reason="wrong")
    assert lin.opinion(turn.turn_id) == Opinion(useful=True)
    bo.judge(turn.turn_id, useful=False, reason="outdated")
    lin.judge(turn.turn_id, useful=True)
    assert feedback.opinion(turn.turn_id) == Opinion(useful=False, reason="outdated"), "a lead's counts"


def test_nobody_judges_what_they_may_not_see(house: House) -> None:
    turn = house.asked(MEI, "payroll")
    for call in (
        lambda: house.of("lin").judge(turn.turn_id, useful=True),
        lambda: house.of("lin").opinion(turn.turn_id),
        lambda: house.of("lin").record_outcome(turn.turn_id, "copied"),
    ):
        with pytest.raises(AccessDenied):
            call()
    with pytest.raises(TurnMissing):
        house.of("mei").judge("nowhere", useful=True)


def test_a_person_is_one_owner_in_all_tabs_and_without_sign_in_each_tab_is_one(house: House) -> None:
    asked: list[dict[str, str]] = []
    submit = house.turns.submit

    def noted(token: str, request: TurnRequest) -> str:
        asked.append({"owner": request.owner, "conversation": request.conversation})
        return submit(token, request)

    house.turns.submit = noted  # type: ignore[method-assign]
    for name, tab in (("lin", "tab 1"), ("lin", "tab 2")):
        house.of(name).submit(f"{name} {tab}", TurnRequest(QUESTION, "default"), tab=tab)
    house.signed_in["local"] = LOCAL_USER
    house.of("local").submit("local", TurnRequest(QUESTION, "default"), tab="tab 3")
    assert asked == [
        {"owner": "lin", "conversation": "tab 1"},
        {"owner": "lin", "conversation": "tab 2"},
        {"owner": "tab 3", "conversation": "tab 3"},
    ]
