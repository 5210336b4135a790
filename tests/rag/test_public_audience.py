"""What a colleague may read and a customer may not: one question, through every way to an answer."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import AccessDenied, NotPermitted, TurnMissing
from rag.generation.answer import quotation
from rag.pipeline import AskOptions, Pipeline
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart, Message
from rag.retrieval.filters import Filters, SearchOptions
from rag.retrieval.retriever import Retriever
from rag.reuse.cache import AnswerCache, AnswerSources
from rag.reuse.curated import Curation, Place
from rag.schema import Audience, Completed, Document, Event, Retrieved
from rag.storage.access import Access, KnowledgeBases, User
from rag.storage.cached import CachedAnswers
from rag.storage.curated import CuratedAnswers
from rag.storage.turn_store import TurnStore
from rag.storage.writer import KnowledgeWriter
from rag.testing import SAMPLE_DOCUMENTS, ScriptedGenerator, offline_parts
from rag.tracing import Trace
from rag.turns import PersonalCorrections, PersonalTurns, Pipelines, TurnRequest, TurnService, TurnSnapshot

QUESTION = "How much goodwill credit can a customer get for a late order?"
SECRET = "A customer can get a goodwill credit of up to 25 pounds for a late order if the team lead agrees."
KNOWN = "A customer with a late order can get the delivery fee of 4 pounds back."
INTERNAL = Document(
    "goodwill.md", "/kb/goodwill.md", "Goodwill credit for a late order", SECRET, "en", audience="internal"
)
PUBLIC = Document("late.md", "/kb/late.md", "Late order", KNOWN, "en")
LIN = User("lin", "agent", frozenset({"default"}))
BO = User("bo", "lead", frozenset({"default"}))
SHOP = User("key:shop", "agent", frozenset({"default"}), "public")
OTHER = User("key:other", "agent", frozenset({"default"}), "public")
FINISHED = GenerationFinished(generated_tokens=12, generation_ms=100.0)
AUDIENCES: tuple[Audience, ...] = ("internal", "public")


def best_passage(messages: list[Message]) -> list[GenerationPart]:
    """Say what the first passage says, as a model would that trusts its evidence."""
    sentences = [one for one in (SECRET, KNOWN) if one in messages[-1].content]
    return [GeneratedText(sentences[0] if sentences else "I do not know."), FINISHED]


class Desk:
    """A knowledge base whose internal document answers best, with curated answers and a cache."""

    def __init__(self, folder: Path, *documents: Document, refusal_threshold: float = 0.0) -> None:
        self.folder = folder
        self.generator = ScriptedGenerator(best_passage)  # type: ignore[arg-type]
        parts = offline_parts(
            folder,
            documents or (INTERNAL, PUBLIC),
            generator=self.generator,
            refusal_threshold=refusal_threshold,
        )
        self.parts = parts
        knowledge = parts.settings.knowledge_dir
        self.kept = CachedAnswers(knowledge)
        self.curation = Curation(parts.store, CuratedAnswers(knowledge))
        answer_sources = AnswerSources(self.curation, AnswerCache(parts.store, self.kept, parts.settings))
        self.pipeline = Pipeline(replace(parts, answer_sources=answer_sources))
        self.bases = KnowledgeBases(knowledge.parent)

    def events(self, audience: Audience, question: str = QUESTION) -> list[Event]:
        return list(self.pipeline.stream(question, audience=audience))

    def documents(self, audience: Audience) -> set[str]:
        retrieved = self.events(audience)[0]
        assert isinstance(retrieved, Retrieved)
        return {passage.document_id for passage in retrieved.evidence}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# searching


@pytest.mark.slow
def test_the_search_leaves_internal_documents_out_and_only_for_the_public(desk: Desk) -> None:
    assert desk.documents("internal") == {"goodwill.md", "late.md"}
    assert desk.documents("public") == {"late.md"}
    assert SECRET in desk.generator.calls[0][-1].content
    assert not any("25 pounds" in message.content for message in desk.generator.calls[-1])
    assert desk.documents("internal") == {"goodwill.md", "late.md"}


@pytest.mark.slow
@pytest.mark.parametrize("audience", AUDIENCES)
def test_nothing_that_is_told_to_the_public_has_a_word_of_the_internal_document(desk: Desk, audience: Audience) -> None:
    told = repr(desk.events(audience))
    assert ("25 pounds" in told) == ("Goodwill credit" in told) == ("goodwill.md" in told) == (audience == "internal")


@pytest.mark.slow
def test_the_signals_of_the_probability_are_those_of_what_remains(tmp_path: Path) -> None:
    """The fake embedder's probabilities are alike; what they are computed from is not."""
    desk = Desk(tmp_path, INTERNAL, PUBLIC, *SAMPLE_DOCUMENTS)
    _, found = desk.pipeline.prepare(QUESTION)
    _, remaining = desk.pipeline.prepare(QUESTION, audience="public")
    assert found.chunks[0].chunk.document_id == "goodwill.md"
    texts = [one.chunk.text for one in found.chunks if one.chunk.document_id != "goodwill.md"]
    assert [one.chunk.text for one in remaining.chunks] == texts
    retriever = desk.parts.retriever
    assert isinstance(retriever, Retriever)
    whole, rest = (
        retriever.find(
            QUESTION, "en", Trace(), SearchOptions(filters=AskOptions(audience=audience).document_filters)
        ).signals
        for audience in AUDIENCES
    )
    assert rest.late < whole.late
    assert rest.gain < whole.gain
    assert rest.coverage < whole.coverage
    assert rest.bm25_ratio < whole.bm25_ratio


@pytest.mark.slow
def test_where_all_is_internal_nothing_is_found(tmp_path: Path) -> None:
    desk = Desk(tmp_path, INTERNAL)
    colleague, customer = desk.events("internal")[0], desk.events("public")[0]
    assert isinstance(colleague, Retrieved)
    assert isinstance(customer, Retrieved)
    assert (colleague.answerable, customer.answerable, customer.evidence) == (True, False, ())


@pytest.mark.slow
def test_a_refusal_names_no_internal_article(tmp_path: Path) -> None:
    desk = Desk(tmp_path, refusal_threshold=1.0)
    for audience in AUDIENCES:
        completed = desk.events(audience)[-1]
        assert isinstance(completed, Completed)
        assert completed.answer.refused
        assert "Late order" in completed.answer.text
        assert "Goodwill" not in completed.answer.text


def test_filters_of_ones_own_stay_beside_the_audience() -> None:
    filters = Filters(product="kettle")
    assert AskOptions(filters=filters).document_filters is filters
    assert AskOptions(filters=filters, audience="public").document_filters == Filters(
        product="kettle", audience="public"
    )
    assert not AskOptions(audience="public").is_selective


@pytest.mark.slow
def test_the_public_is_quoted_public_sentences_only(desk: Desk) -> None:
    request, _ = desk.pipeline.prepare(QUESTION, audience="public")
    assert all(passage.audience == "public" for passage in request.evidence)
    answer = quotation(request)
    assert answer is not None
    assert KNOWN in answer.text


# answers that are there already


@pytest.mark.slow
def test_a_curated_answer_on_an_internal_document_is_for_colleagues(desk: Desk) -> None:
    desk.curation.write(QUESTION, "Up to 25 pounds.", author="bo", sources=[Place("late.md"), Place("goodwill.md")])
    for audience, lane in (("internal", "curated"), ("public", "model"), ("internal", "curated")):
        answer = desk.pipeline.answer(QUESTION, audience=audience)  # type: ignore[arg-type]
        assert answer.lane == lane
        assert ("25 pounds" in answer.text) == (audience == "internal")
    assert desk.curation.all()[0].state == "serving"


@pytest.mark.parametrize("sources", [[Place("late.md")], []])
def test_another_curated_answer_is_for_everybody(desk: Desk, sources: list[Place]) -> None:
    desk.curation.write(QUESTION, "The delivery fee of 4 pounds.", author="bo", sources=sources)
    assert [desk.pipeline.answer(QUESTION, audience=audience).lane for audience in AUDIENCES] == ["curated", "curated"]


@pytest.mark.slow
def test_what_was_answered_for_colleagues_is_not_given_to_the_public(tmp_path: Path) -> None:
    """Also where it cites public documents only, so that it is cached: its passages have the internal one."""
    desk = Desk(tmp_path)
    desk.generator._script = lambda messages: [GeneratedText(KNOWN), FINISHED]
    lanes = [desk.pipeline.answer(QUESTION, audience=one).lane for one in ("internal", "internal", "public", "public")]
    assert lanes == ["model", "cached", "model", "cached"]
    assert desk.kept.count() == 2
    for audience in AUDIENCES:
        retrieved = desk.events(audience)[0]
        assert isinstance(retrieved, Retrieved)
        assert any(one.audience == "internal" for one in retrieved.evidence) == (audience == "internal")


@pytest.mark.slow
def test_a_running_answer_with_internal_passages_is_not_joined_by_the_public(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    gate = threading.Event()
    desk.generator._gates = {0: gate}
    told: dict[Audience, list[Event]] = {}
    asking = [threading.Thread(target=lambda one=one: told.update({one: desk.events(one)})) for one in AUDIENCES]
    for thread in asking:
        thread.start()
    gate.set()
    for thread in asking:
        thread.join()
    assert len(desk.generator.calls) == 2
    assert "25 pounds" in repr(told["internal"])
    assert "25 pounds" not in repr(told["public"])


# turns


class House(Desk):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pipelines = Pipelines(self.bases, lambda name: self.pipeline)
        self.turns = TurnService(pipelines, TurnStore(folder / "turns.db"), 2)

    def of(self, user: User) -> PersonalTurns:
        return PersonalTurns(self.turns, self.bases, lambda: user)

    def asked(self, user: User, follows: str = "") -> TurnSnapshot:
        turn_id = self.of(user).submit(f"{user.name} {follows}", TurnRequest(QUESTION, "default", follows=follows))
        return self.of(user).wait(turn_id, lambda _: False, timeout_seconds=30)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.turns.close()


@pytest.mark.slow
def test_a_turn_is_answered_for_its_users_audience(house: House) -> None:
    assert "25 pounds" in repr(house.asked(LIN))
    shown = house.asked(SHOP)
    assert shown.state == "done"
    assert "25 pounds" not in repr(shown)
    assert {passage.document_id for passage in shown.evidence} == {"late.md"}


@pytest.mark.slow
def test_a_public_user_reaches_only_their_own_turns(house: House) -> None:
    theirs, own, others = house.asked(LIN), house.asked(SHOP), house.asked(OTHER)
    shop = house.of(SHOP)
    for turn in (theirs, others):
        for reach in (
            lambda turn=turn: shop.snapshot(turn.turn_id),
            lambda turn=turn: shop.wait(turn.turn_id, lambda _: True, timeout_seconds=0),
            lambda turn=turn: shop.listen(turn.turn_id, lambda snapshot: None),
            lambda turn=turn: shop.judge(turn.turn_id, useful=True),
            lambda turn=turn: shop.opinion(turn.turn_id),
        ):
            with pytest.raises(TurnMissing):
                reach()
    assert shop.snapshot(own.turn_id) is not None
    assert [turn.turn_id for turn in shop.history()] == [own.turn_id]
    with pytest.raises(NotPermitted):
        shop.history(team=True)
    assert house.of(LIN).snapshot(own.turn_id) is not None  # colleagues see what customers were told


@pytest.mark.slow
def test_a_public_user_follows_only_their_own_turns(house: House) -> None:
    theirs, own = house.asked(LIN), house.asked(SHOP)
    for follows, kept in ((theirs.turn_id, ""), (own.turn_id, own.turn_id)):
        assert house.turns._store.get(house.asked(SHOP, follows).turn_id).follows == kept


def test_a_public_user_writes_no_answers(house: House) -> None:
    corrections = PersonalCorrections(lambda name: house.curation, house.bases, lambda: SHOP)
    with pytest.raises(NotPermitted):
        corrections.write("default", QUESTION, "25", [Place("goodwill.md")])
    with pytest.raises(NotPermitted):
        corrections.list("default")


# knowledge bases


def test_an_internal_knowledge_base_is_closed_to_the_public(tmp_path: Path) -> None:
    for name, access in (("shop", Access("", "public")), ("staff", Access("", "internal"))):
        writer = KnowledgeWriter(tmp_path / name)
        writer.set_access(access)
        writer.close()
    bases = KnowledgeBases(tmp_path)
    for scopes in (None, frozenset({"shop", "staff"})):
        colleague, customer = User("lin", "agent", scopes), User("key:1", "admin", scopes, "public")
        assert bases.names_for(colleague) == ("shop", "staff")
        assert bases.names_for(customer) == ("shop",)
        bases.require(customer, "shop")
        assert not bases.permits(customer, "staff")
        with pytest.raises(AccessDenied):
            bases.require(customer, "staff")
        with pytest.raises(AccessDenied):
            bases.store(customer, "staff")


@pytest.mark.parametrize("role", ["lead", "admin"])
def test_a_public_user_is_an_agent_at_most(role: str) -> None:
    customer = User("key:1", role, None, "public")  # type: ignore[arg-type]
    assert customer.is_at_least("agent")
    assert not customer.is_at_least("lead")
    assert not customer.is_at_least("admin")
