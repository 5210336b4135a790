"""The report on a published knowledge base: counted, grouped, looked up; what was settled is left out."""

import json
from datetime import date

import pytest

from rag.schema import Conflict, Document
from rag.testing import HashEmbedder, publish_documents
from tests.eval.gaps.conftest import Base
from tests.eval.gaps.turns import passage

CARDS = "Do you sell gift cards in the online shop?"


@pytest.mark.slow
def test_the_same_question_counts_once_whatever_its_courtesy_and_how_it_went_is_told(base: Base) -> None:
    base.asked.refused(CARDS)
    base.asked.refused("Hi, could you please tell me: do you sell gift cards in the online shop")
    base.asked.disliked(CARDS)
    base.asked.refused("几点关门？")
    base.asked.answered("Is there a warranty?")
    report = base.report()
    first, second = report.topics
    assert (first.number, first.count, first.troubles) == (1, 3, {"refused": 2, "disliked": 1})
    assert (first.title("en"), first.title("zh")) == (CARDS, CARDS)
    assert (second.titles, second.languages) == ({"zh": "几点关门？"}, {"zh": 1})
    assert (report.asked, report.unmet, report.settled) == (5, 4, 0)


@pytest.mark.slow
def test_a_topic_names_the_nearest_article_and_whether_it_would_be_answered_now(base: Base) -> None:
    base.asked.refused("How much citric acid goes into the kettle?")
    (topic,) = base.report().topics
    assert topic.nearest is not None
    assert topic.nearest.document_id == "kettle.md"
    assert (topic.tried, topic.answered_now) == (1, 1)  # the offline pipeline refuses nothing


@pytest.mark.slow
def test_the_order_of_asking_changes_no_topic(base: Base) -> None:
    questions = [CARDS, "Can I buy gift cards in the shop?", "Who delivers?", "什么时候送到？", "几点送到？"]
    for question in questions:
        base.asked.refused(question)
    once = [sorted(one.text for one in topic.questions) for topic in base.report().topics]
    for question in reversed(questions):
        base.asked.refused(question)
    assert sorted(once) == sorted(sorted(one.text for one in topic.questions) for topic in base.report().topics)


def test_what_a_person_answers_by_now_is_settled(base: Base) -> None:
    base.asked.refused(CARDS)
    base.curation.write(CARDS, "Yes, from 10 to 200 pounds.", author="lin")
    report = base.report()
    assert (report.topics, report.settled) == ((), 1)


def test_articles_that_contradict_each_other_are_named_until_one_is_mended(base: Base) -> None:
    texts = {"a.md": "Refunds take five days.", "b.md": "Refunds take nine days."}
    documents = [Document(name, f"/x/{name}", f"Title {name}", text, "en") for name, text in texts.items()]
    folder = base.parts.settings.knowledge_dir
    publish_documents(folder, documents, HashEmbedder())
    passages = [passage(number, name, text) for number, (name, text) in enumerate(texts.items(), start=1)]
    conflict = Conflict(1, 2, "a.md", "b.md", *texts.values())
    for question in ("How long do refunds take?", "When is my refund there?"):
        base.asked.resting_on(question, *passages, conflicts=(conflict,))
    base.asked.resting_on("Something else?", passage(3, "kettle.md", "Descale it."), *passages, conflicts=(conflict,))
    (found,) = base.report().contradictions
    assert (found.title, found.other_title, found.count) == ("Title a.md", "Title b.md", 2)
    assert (found.quote, found.other_quote) == tuple(texts.values())
    assert found.questions == ("When is my refund there?", "How long do refunds take?")
    publish_documents(folder, [Document("b.md", "/x/b.md", "Title b.md", texts["a.md"], "en")], HashEmbedder())
    assert base.report().contradictions == ()


def test_expired_articles_are_named_while_they_stand(base: Base) -> None:
    sale = Document("sale.md", "/x/sale.md", "Sale", "Half price.", "en", metadata={"valid_until": "2026-01-31"})
    folder = base.parts.settings.knowledge_dir
    publish_documents(folder, [sale], HashEmbedder())
    base.asked.resting_on("Is there a sale?", passage(1, "sale.md", sale.text, expired_on=date(2026, 1, 31)))
    base.asked.resting_on("Gone?", passage(1, "gone.md", "Gone.", expired_on=date(2026, 1, 31)))
    (found,) = base.report().expired
    assert (found.document_id, found.expired_on, found.count) == ("sale.md", date(2026, 1, 31), 1)
    renewed = Document("sale.md", "/x/sale.md", "Sale", "Half price!", "en", metadata={"valid_until": "2027-01-31"})
    publish_documents(folder, [renewed], HashEmbedder())
    assert base.report().expired == ()


def test_without_turns_the_report_is_empty(base: Base) -> None:
    report = base.report()
    assert (report.topics, report.contradictions, report.expired, report.asked) == ((), (), (), 0)


@pytest.mark.slow
def test_the_report_is_plain_json(base: Base) -> None:
    base.asked.refused(CARDS)
    found = json.loads(json.dumps(base.report().to_json()))
    assert found["unmet"] == 1
    assert found["topics"][0]["questions"][0]["text"] == CARDS
