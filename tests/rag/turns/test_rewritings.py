"""What an agent may let the model do with a draft, whose turn it must be, and what is taken of what comes back."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rag.errors import AccessDenied, RewritingUnusable, SignInNeeded, TurnMissing
from rag.protocols import GeneratedText, GeneratedThinking, GenerationPart, Message
from rag.schema import Document
from rag.storage.access import KnowledgeBases, User
from rag.storage.turn_store import TurnStore
from rag.testing import SAMPLE_DOCUMENTS, ScriptedGenerator, build_offline_pipeline
from rag.turns import (
    PersonalRewritings,
    PersonalTurns,
    Pipelines,
    Translations,
    TurnRequest,
    TurnService,
    TurnSnapshot,
    WritingService,
    WritingSnapshot,
    pipeline_parts,
)

pytestmark = pytest.mark.slow

LIN = User("lin", "agent", frozenset({"default"}))
BO = User("bo", "agent", frozenset({"default"}))
MEI = User("mei", "agent", frozenset({"payroll"}))
DRAFT = "You can send back any item within 30 days of delivery. Opened filters are not taken back."
QUESTION = "Within how many days of delivery can I send an item back?"


class House:
    """One knowledge base and a model that says what ``says`` tells when it is asked to rewrite."""

    def __init__(self, folder: Path, documents: Sequence[Document] = SAMPLE_DOCUMENTS) -> None:
        self.says = ""
        self.generator = ScriptedGenerator(self._script)
        pipeline = build_offline_pipeline(folder, documents, generator=self.generator)
        self.bases = KnowledgeBases(folder / "knowledge")
        pipelines = Pipelines(self.bases, lambda name: pipeline)
        self.turns = TurnService(pipelines, TurnStore(folder / "turns.db"), 2)
        self.writings = WritingService(pipeline_parts(pipelines), 2)
        self.translations = Translations()
        self.signed_in = {user.name: user for user in (LIN, BO, MEI)}

    def _script(self, messages: Sequence[Message]) -> Sequence[GenerationPart | Exception]:
        said = self.says or "You can send back any item within 30 days of delivery."
        return [GeneratedThinking("Let me change 30 to 14."), GeneratedText(said)]

    def of(self, name: str) -> PersonalRewritings:
        def who() -> User:
            if name not in self.signed_in:
                raise SignInNeeded
            return self.signed_in[name]

        turns = PersonalTurns(self.turns, self.bases, who)
        return PersonalRewritings(turns, self.writings, self.translations, self.bases, who)

    def asked(self, question: str = QUESTION) -> TurnSnapshot:
        turn_id = self.turns.submit(question, TurnRequest(question, session="lin", user=LIN))
        return self.turns.wait(turn_id, lambda _: False, timeout_seconds=30)

    def ends(self, writing_id: str) -> WritingSnapshot:
        return self.writings.wait(writing_id, timeout_seconds=30)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.writings.close()
    made.turns.close()


def test_a_draft_in_other_words_is_taken_without_the_thought(house: House) -> None:
    turn = house.asked()
    house.says = f"Thank you for asking! {DRAFT}"
    ended = house.ends(house.of("lin").rewrite("a", turn.turn_id, DRAFT, "friendlier"))
    assert (ended.state, ended.text, ended.source) == ("done", house.says, DRAFT)


def test_a_changed_fact_is_refused_in_words_in_both_languages(house: House) -> None:
    turn = house.asked()
    house.says = DRAFT.replace("30 days", "14 days")
    ended = house.ends(house.of("lin").rewrite("a", turn.turn_id, DRAFT, "formal"))
    assert ended.failure is not None
    assert (ended.state, ended.text) == ("refused", "")
    assert ended.failure.en == "The model changed “30 days” to “14 days”; the original text was kept."
    assert ended.failure.zh == "模型把“30 days”改成了“14 days”，原文已保留。"


def test_longer_takes_from_the_turns_passages_only(house: House) -> None:
    turn = house.asked()
    assert any("EUR 4.95" in passage.text for passage in turn.evidence)
    lin = house.of("lin")
    house.says = f"{DRAFT} From EU countries the return label costs EUR 4.95."
    assert house.ends(lin.rewrite("a", turn.turn_id, DRAFT, "longer")).state == "done"
    assert "EUR 4.95" in house.generator.calls[-1][-1].content
    house.says = f"{DRAFT} From EU countries the return label costs EUR 3.95."
    assert house.ends(lin.rewrite("b", turn.turn_id, DRAFT, "longer")).state == "refused"


def test_a_reply_is_translated_into_the_customers_language(house: House) -> None:
    turn = house.asked()
    lin = house.of("lin")
    house.says = "You can send it back within 30 days of delivery. Opened filters are not taken back."
    ended = house.ends(lin.rewrite("a", turn.turn_id, "收货后 30 天内可以退货。已拆封的滤网不予退回。", "translate"))
    assert (ended.state, ended.text) == ("done", house.says)
    with pytest.raises(RewritingUnusable, match="already in that language"):
        lin.rewrite("b", turn.turn_id, DRAFT, "translate")


def test_what_cannot_be_rewritten_is_said_before_a_model_is_asked(house: House) -> None:
    turn, lin = house.asked(), house.of("lin")
    calls = len(house.generator.calls)
    german = "Sie haben dreißig Tage Zeit, um die Ware zurückzusenden."
    cases = ((" \n", "no text"), ("…", "no text"), ("a" * 8001, "too long"), ("Yes. " * 401, "too long"))
    for text, reason in (*cases, (german, "only Chinese and English")):
        with pytest.raises(RewritingUnusable, match=reason):
            lin.rewrite(text, turn.turn_id, text, "shorter")
    assert len(house.generator.calls) == calls


def test_without_a_passage_for_customers_nothing_can_be_added(tmp_path: Path) -> None:
    text = "Audience: internal. Leads may give a voucher of EUR 20 for items within 30 days of delivery."
    internal = Document("a.md", "/a.md", "Vouchers", text, "en", audience="internal")
    house = House(tmp_path, [internal])
    turn = house.asked()
    assert [passage.audience for passage in turn.evidence] == ["internal"]
    with pytest.raises(RewritingUnusable, match="may be shown to customers"):
        house.of("lin").rewrite("a", turn.turn_id, DRAFT, "longer")
    house.writings.close()
    house.turns.close()


def test_only_who_may_see_the_turn_rewrites_and_only_who_began_sees_it(house: House) -> None:
    turn = house.asked()
    house.says = f"Hello! {DRAFT}"
    for name, error in (("mei", AccessDenied), ("nobody", SignInNeeded)):
        for begin in (
            lambda one: one.rewrite("a", turn.turn_id, DRAFT, "formal"),
            lambda one: one.translate_passage("a", turn.turn_id, 1, "zh"),
            lambda one: one.translations(turn.turn_id, "zh", "scripted"),
        ):
            with pytest.raises(error):
                begin(house.of(name))
    with pytest.raises(TurnMissing):
        house.of("lin").rewrite("a", "no such turn", DRAFT, "formal")
    writing_id = house.of("lin").rewrite("a", turn.turn_id, DRAFT, "formal")
    house.ends(writing_id)
    assert house.of("lin").snapshot(writing_id).text == house.says
    with pytest.raises(TurnMissing):
        house.of("bo").snapshot(writing_id)
    house.of("bo").cancel(writing_id)  # as if it were not there
    house.signed_in["lin"] = User("lin", "agent", frozenset())
    with pytest.raises(AccessDenied):
        house.of("lin").snapshot(writing_id)


def test_two_persons_tokens_do_not_meet(house: House) -> None:
    turn = house.asked()
    house.says = f"Hello! {DRAFT}"
    ids = {house.of(name).rewrite("a", turn.turn_id, DRAFT, "formal") for name in ("lin", "bo")}
    assert len(ids) == 2


def test_a_passage_is_translated_once_a_model(house: House) -> None:
    turn = house.asked("微信支付的退款 1 个工作日到账吗？")
    (passage,) = [one for one in turn.evidence if "微信" in one.text]
    lin, number = house.of("lin"), passage.number
    house.says = (
        "Inspection is completed within 2 working days after the warehouse has signed. WeChat Pay arrives in 1 working "
        "day, credit cards in 3 to 7 working days."
    )
    assert lin.translations(turn.turn_id, "en", "scripted") == {}
    ended = house.ends(lin.translate_passage("a", turn.turn_id, number, "en"))
    assert (ended.state, ended.text) == ("done", house.says)
    calls = len(house.generator.calls)
    again = house.ends(house.of("bo").translate_passage("b", turn.turn_id, number, "en"))
    assert (again.text, len(house.generator.calls)) == (house.says, calls)
    assert house.of("bo").translations(turn.turn_id, "en", "scripted") == {number: house.says}
    assert lin.translations(turn.turn_id, "en", "another model") == {}
    with pytest.raises(RewritingUnusable, match="already in that language"):
        lin.translate_passage("c", turn.turn_id, number, "zh")
    with pytest.raises(RewritingUnusable):
        lin.translate_passage("d", turn.turn_id, 99, "en")


def test_a_passage_that_the_translation_changes_stays_as_it_is(house: House) -> None:
    turn = house.asked("微信支付的退款 1 个工作日到账吗？")
    (passage,) = [one for one in turn.evidence if "微信" in one.text]
    house.says = "Inspection takes 2 working days. WeChat Pay arrives in 5 working days, credit cards in 3 to 7."
    ended = house.ends(house.of("lin").translate_passage("a", turn.turn_id, passage.number, "en"))
    assert (ended.state, ended.text) == ("refused", "")
    assert house.of("lin").translations(turn.turn_id, "en", "scripted") == {}


def test_only_the_newest_translations_are_kept() -> None:
    kept = Translations(limit=2)
    for text in ("a", "b", "c"):
        kept.keep(text, "en", "m", text.upper())
    assert [kept.get(text, "en", "m") for text in ("a", "b", "c")] == ["", "B", "C"]
    assert kept.get("c", "zh", "m") == kept.get("c", "en", "n") == ""
