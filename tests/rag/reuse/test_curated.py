"""A person's answer serves the same question at once, and no more once its document is another."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rag.errors import CuratedMissing, CuratedUnusable
from rag.pipeline import Pipeline
from rag.retrieval.message import read_message
from rag.reuse.cache import AnswerSources
from rag.reuse.curated import Curation, Place
from rag.schema import Completed, Document, Retrieved
from rag.settings import Settings
from rag.storage.curated import CuratedAnswers
from rag.storage.regression import RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.storage.writer import KnowledgeWriter
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, ScriptedGenerator, offline_parts, publish_documents
from rag.tracing import Trace

QUESTION = "How long can I send an item back?"
ANSWER = "You can send back any item within 30 days of delivery. Ask Lin about gifts."


class Base:
    """A published knowledge base with curated answers; the day can be set."""

    def __init__(self, folder: Path, *, review: bool = False) -> None:
        self.generator = ScriptedGenerator()
        parts = offline_parts(folder, generator=self.generator)
        self.folder = parts.settings.knowledge_dir
        self.store: KnowledgeStore = parts.store
        self.day = date(2026, 11, 25)
        self.curation = Curation(self.store, CuratedAnswers(self.folder), review=review, today=lambda: self.day)
        self.pipeline = Pipeline(replace(parts, answer_sources=AnswerSources(self.curation)))

    def publish(self, *documents: Document) -> None:
        publish_documents(self.folder, documents, HashEmbedder())

    def publish_only(self, *documents: Document) -> None:
        """Publish these documents in the place of the sample's; without an index, which only a search would need."""
        self.publish(*documents)
        writer = KnowledgeWriter(self.folder)
        generation = writer.begin()
        kept = {one.document_id for one in documents}
        writer.retire([one.document_id for one in SAMPLE_DOCUMENTS if one.document_id not in kept], generation)
        writer.publish(generation, "hash-64", 64)
        writer.close()


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


def changed(**values: object) -> Document:
    return replace(SAMPLE_DOCUMENTS[0], **values)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_next_same_question_has_the_persons_answer_and_no_model(base: Base) -> None:
    kept = base.curation.write(QUESTION, f" {ANSWER} ", author="王", sources=[Place("returns.md", 0, 54)])
    events = list(base.pipeline.stream("hi, how long can i send an item back?? thanks"))
    assert [type(event) for event in events] == [Retrieved, Completed]
    retrieved, completed = events
    assert isinstance(retrieved, Retrieved)
    assert isinstance(completed, Completed)
    answer = completed.answer
    assert (answer.text, answer.lane, answer.model, answer.refused) == (ANSWER, "curated", "", False)
    assert answer.origin is not None
    assert (answer.origin.author, answer.origin.number, answer.origin.generation) == ("王", kept.number, 1)
    assert [passage.text for passage in retrieved.evidence] == [
        "You can send back any item within 30 days of delivery."
    ]
    assert [citation.document_id for citation in answer.citations] == ["returns.md"]
    assert base.generator.calls == []
    assert base.pipeline.answer(QUESTION, fresh=True).lane == "model"
    assert base.pipeline.answer("How long can I send two items back?").lane == "model"


_MAIL = (
    "Hello team,\nI live in Bath. {story}\nHow long is the warranty of the two kettles that I ordered in your shop?\n"
    "And is it the same in Bristol?\n\nKind regards,\n{name}"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "kept", "same", "other"),
    [
        (
            "Hi,\nthis is Ming Wang from Leeds. Is it loud?\nThanks\nMing",
            "Is it loud?",
            "Good morning, is it loud?\nBest wishes, Ann Lee\n07700 900417",
            "Hi, is it not loud?\nThanks\nMing",
        ),
        (
            "您好，我叫张伟。滤网多久换？谢谢！\n张伟 13800138000",
            "滤网多久换？",
            "客服您好，滤网多久换？",
            "您好，滤网怎么换？谢谢！",
        ),
        (
            _MAIL.format(story="They leak.", name="Ann Lee, 07700 900417"),
            "I live in Bath.\nThey leak.\n"
            "How long is the warranty of the two kettles that I ordered in your shop?\n"
            "And is it the same in Bristol?",
            _MAIL.format(story="They leak.", name="Ming Wang"),
            _MAIL.format(story="I dropped them.", name="Ann Lee, 07700 900417"),
        ),
    ],
)
def test_a_mail_has_the_answer_to_what_it_says_whoever_sends_it(
    base: Base, first: str, kept: str, same: str, other: str
) -> None:
    assert read_message(first).text == kept
    base.curation.write(kept, ANSWER, author="Lin")
    for mail in (first, same):
        assert base.pipeline.answer(mail).lane == "curated"
    assert base.pipeline.answer(other).lane != "curated"


@pytest.mark.slow
def test_a_question_that_leans_on_another_is_no_question_by_itself(base: Base) -> None:
    base.curation.write("How long is it?", "Ten minutes.", author="Lin")
    assert base.pipeline.answer("How long is it?").lane == "curated"
    assert base.pipeline.answer("How long is it?", earlier=["Is the warranty two years?"]).lane == "model"


@pytest.mark.slow
def test_with_review_an_answer_waits_for_somebody(tmp_path: Path) -> None:
    base = Base(tmp_path, review=True)
    kept = base.curation.write(QUESTION, ANSWER, author="Lin")
    assert kept.state == "waiting"
    assert base.pipeline.answer(QUESTION).lane == "model"
    base.curation.approve(kept.number, "Wang")
    assert base.pipeline.answer(QUESTION).lane == "curated"
    base.curation.retire(kept.number, "Wang")
    assert base.pipeline.answer(QUESTION).lane == "model"
    assert [event.what for event in base.curation.history(kept.number)] == ["written", "approved", "retired"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "documents",
    [
        (changed(text=SAMPLE_DOCUMENTS[0].text.replace("30", "14")), *SAMPLE_DOCUMENTS[1:]),
        SAMPLE_DOCUMENTS[1:],
        (changed(metadata={"valid_until": "2026-11-24"}, text=SAMPLE_DOCUMENTS[0].text + " "), *SAMPLE_DOCUMENTS[1:]),
    ],
    ids=["changed", "gone", "past its last day"],
)
def test_an_answer_ends_with_what_it_rests_on(tmp_path: Path, documents: tuple[Document, ...]) -> None:
    base = Base(tmp_path)
    kept = base.curation.write(QUESTION, ANSWER, author="Lin", sources=[Place("returns.md")])
    base.publish(*SAMPLE_DOCUMENTS)
    assert base.curation.answer(QUESTION, "en", Trace()) is not None
    base.publish_only(*documents)
    assert base.curation.answer(QUESTION, "en", Trace()) is None
    assert [one.number for one in base.curation.all("expired")] == [kept.number]
    assert base.curation.history(kept.number)[-1].note == "returns.md"


@pytest.mark.slow
def test_a_listing_finds_what_ended_though_nobody_asked(base: Base) -> None:
    kept = base.curation.write(QUESTION, ANSWER, author="Lin", valid_until=date(2026, 11, 25))
    assert base.curation.all("serving")
    base.day = date(2026, 11, 26)
    assert base.curation.all("serving") == []
    assert [one.number for one in base.curation.all("expired")] == [kept.number]
    base.day = date(2026, 11, 25)
    base.curation.approve(kept.number, "Wang")
    assert base.pipeline.answer(QUESTION).lane == "curated"


@pytest.mark.slow
def test_an_answer_whose_last_day_is_over_is_neither_kept_nor_approved(base: Base) -> None:
    kept = base.curation.write(QUESTION, ANSWER, author="Lin", valid_until=date(2026, 11, 25))
    base.day = date(2026, 11, 26)
    with pytest.raises(CuratedUnusable, match="its last day, 2026-11-25, is over"):
        base.curation.write("Is Lin here?", "No.", author="Lin", valid_until=date(2026, 11, 25))
    with pytest.raises(CuratedUnusable, match="its last day, 2026-11-25, is over"):
        base.curation.approve(kept.number, "Wang")
    assert [one.number for one in base.curation.all("expired")] == [kept.number]


@pytest.mark.slow
def test_its_question_gates_the_next_ingest(base: Base) -> None:
    base.curation.write(QUESTION, ANSWER, author="Lin", sources=[Place("returns.md"), Place("kettle.md")])
    base.curation.write("Is Lin here?", "No.", author="Lin")
    kept = RegressionQuestions(base.store).all()
    assert [(one.asked.question, one.asked.document_ids, one.asked.origin, one.asked.answers) for one in kept] == [
        (QUESTION, ("returns.md", "kettle.md"), "correction", (ANSWER,))
    ]


@pytest.mark.parametrize(
    ("question", "answer", "documents", "words"),
    [
        (" ", "x", [], "both a question and an answer"),
        ("How?", "\n", [], "both a question and an answer"),
        ("How?", "x" * 20_001, [], "longer than"),
        ("How?", "x", ["nowhere.md"], "no document nowhere.md"),
    ],
)
def test_what_cannot_be_kept_is_said(base: Base, question: str, answer: str, documents: list[str], words: str) -> None:
    with pytest.raises(CuratedUnusable, match=words):
        base.curation.write(question, answer, author="Lin", sources=[Place(name) for name in documents])
    assert base.curation.all() == []


def test_an_unknown_number_is_said(base: Base) -> None:
    for does in (base.curation.approve, base.curation.retire):
        with pytest.raises(CuratedMissing, match=r"no\. 7"):
            does(7, "Lin")


@pytest.mark.slow
def test_a_damaged_file_is_passed_by(base: Base, caplog: pytest.LogCaptureFixture) -> None:
    (base.folder / "answers.db").write_bytes(b"no database at all, and long enough to be read as one" * 100)
    assert base.pipeline.answer(QUESTION).lane == "model"
    assert "passed by" in caplog.text


CONTACTS = changed(
    text="Write to help@shop.example or see https://www.shop.example/returns. Call +49 30 123-4567. "
    "Pay into GB29 NWBK 6016 1331 9268 19."
)


def marked(base: Base, answer: str) -> list[str]:
    """Return the sentences of a served answer that are marked."""
    base.curation.write(QUESTION, answer, author="Lin", sources=[Place(CONTACTS.document_id)])
    served = base.curation.answer(QUESTION, "en", Trace())
    assert served is not None
    found = served.completed.answer
    assert not {span.start for span in found.unsupported} & {citation.start for citation in found.citations}
    return [found.text[span.start : span.end] for span in found.unsupported]


@pytest.mark.slow
@pytest.mark.parametrize(
    "sentence",
    [
        "Pay the fee at https://evil.example/pay.",
        "See [our shop](https://evil.example/returns).",
        "Write to pay@evil.example for the label.",
        "See https://shop.example.evil.example/returns for more.",
        "See https://www.shop.example/other for more.",
        "Call +49 30 765-4321 for the label.",
        "Call ０３０ ７６５ ４３２１ for the label.",
        "Our desk is 765 43 21.",
        "Write to pay [at] evil [dot] example for the label.",
        "Pay into DE89 3704 0044 0532 0130 00.",
        "See https://shop.example:8443/returns for more.",
    ],
)
def test_a_contact_that_no_document_has_is_marked(base: Base, sentence: str) -> None:
    base.publish(CONTACTS)
    assert marked(base, f"You have 30 days. {sentence} Ask Lin about gifts.") == [sentence]


@pytest.mark.slow
@pytest.mark.parametrize(
    "sentence",
    [
        "Write to help@shop.example for the label.",
        "See [our shop](HTTP://shop.example/returns/) for more.",
        "Call +49 (30) 1234567 for the label.",
        "Write to help [at] shop [dot] example for the label.",
        "Pay into GB29NWBK60161331926819.",
        "It holds until 2026-12-31 and costs 12.50 EUR, order 4711.",
    ],
)
def test_a_contact_that_a_document_has_is_not_marked(base: Base, sentence: str) -> None:
    base.publish(CONTACTS)
    assert marked(base, f"You have 30 days. {sentence}") == []


@pytest.mark.slow
def test_a_contact_is_marked_once_the_document_that_had_it_is_gone(base: Base) -> None:
    base.publish(CONTACTS, replace(SAMPLE_DOCUMENTS[1], text="See https://second.example/page."))
    base.curation.write(QUESTION, "See https://second.example/page.", author="Lin", sources=[])
    served = base.curation.answer(QUESTION, "en", Trace())
    assert served is not None and served.completed.answer.unsupported == ()
    base.publish_only(CONTACTS)
    served = base.curation.answer(QUESTION, "en", Trace())
    assert served is not None and len(served.completed.answer.unsupported) == 1


@pytest.mark.parametrize(
    ("setting", "signing_in", "expected"),
    [("auto", False, False), ("auto", True, True), ("on", False, True), ("off", True, False)],
)
def test_review_is_on_once_people_sign_in(tmp_path: Path, setting: str, signing_in: bool, expected: bool) -> None:
    people = [signing_in]
    settings = Settings(data_dir=tmp_path).changed(curated_review=setting)
    curation = Curation.of(settings, people_sign_in=lambda: people[0])
    assert curation.waits_for_review is expected
    people[0] = True  # the first admin was let in while the desk was open
    assert curation.waits_for_review is (setting != "off")
