"""The report on a published knowledge base: counted, grouped, looked up; what was settled is left out."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eval.gaps.report import (
    GapQuestion,
    NearestArticle,
    Topic,
    centred,
    draft_article,
    embed_questions,
    grouped,
    most_central,
)
from rag.protocols import FloatMatrix
from rag.schema import Conflict, Document, Language
from rag.testing import HashEmbedder, publish_documents
from tests.eval.gaps.conftest import Base
from tests.eval.gaps.turns import passage

CARDS = "Do you sell gift cards in the online shop?"

WHEN = datetime(2026, 11, 25, tzinfo=UTC)
ENGLISH = GapQuestion('Gift "cards": do you\nhave #any?', "en", 2, {"refused": 2}, "t1", WHEN)
CHINESE = GapQuestion("有礼品卡吗？", "zh", 1, {"disliked": 1}, "t2", WHEN)
TOPIC = Topic(
    1, {"en": ENGLISH.text, "zh": CHINESE.text}, (ENGLISH, CHINESE), NearestArticle("en/pay.md", "Paying", "en")
)


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


@pytest.mark.slow
def test_what_a_person_answers_by_now_is_settled(base: Base) -> None:
    base.asked.refused(CARDS)
    base.curation.write(CARDS, "Yes, from 10 to 200 pounds.", author="lin")
    report = base.report()
    assert (report.topics, report.settled) == ((), 1)


@pytest.mark.slow
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


@pytest.mark.slow
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


def _unit(*rows: tuple[float, ...]) -> FloatMatrix:
    found = np.array(rows, dtype=np.float32)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


@pytest.mark.slow
def test_near_vectors_are_one_group_and_far_ones_are_apart() -> None:
    vectors = _unit((1, 0, 0), (0, 1, 0), (1, 0.1, 0), (0, 1, 0.1), (0, 0, 1))
    assert grouped(vectors, least_similarity=0.5) == [[0, 2], [1, 3], [4]]


def test_one_odd_question_does_not_chain_two_topics() -> None:
    half = float(np.cos(np.pi / 4))  # 0.707 to either, which are at right angles: the mean of 1 and 0 joins neither
    vectors = _unit((1, 0), (1, 0.01), (0, 1), (0.01, 1), (half, half))
    assert len(grouped(vectors, least_similarity=0.75)) == 3


def test_none_and_one_are_fine() -> None:
    assert grouped(np.zeros((0, 4), dtype=np.float32)) == []
    assert grouped(_unit((1, 0))) == [[0]]
    assert embed_questions(HashEmbedder(), []).shape == (0, HashEmbedder().dimension)


def test_what_a_language_shares_is_taken_away() -> None:
    """Two questions in two languages: the language is the first axis, the subject is the other two."""
    vectors = _unit((3, 1, 0), (3, 0, 1), (-3, 1, 0), (-3, 0, 1))
    samples = {"en": _unit((3, 1, 1), (3, -1, -1)), "zh": _unit((-3, 1, 1), (-3, -1, -1))}
    assert grouped(vectors, least_similarity=0.5) == [[0, 1], [2, 3]]  # by language
    found = centred(vectors, ["en", "en", "zh", "zh"], samples)
    assert grouped(found, least_similarity=0.5) == [[0, 2], [1, 3]]  # by subject
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_the_most_central_question_is_the_one_between_the_others() -> None:
    vectors = _unit((1, 0.5), (1, 0), (1, -0.5), (0, 1))
    assert most_central(vectors, [0, 1, 2])[0] == 1


@pytest.mark.slow
@given(arrays(np.float32, st.tuples(st.integers(2, 12), st.just(3)), elements=st.floats(-1, 1, width=32)))
def test_every_row_is_in_one_group_and_groups_are_the_same_again(rows: FloatMatrix) -> None:
    vectors = np.asarray(rows + np.float32(1.5), dtype=np.float32)  # none is zero
    groups = grouped(vectors)
    assert sorted(row for group in groups for row in group) == list(range(len(vectors)))
    assert groups == grouped(vectors)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)


@pytest.mark.parametrize(
    ("language", "title", "said"),
    [
        ("en", 'Gift "cards": do you have #any?', "Asked 3 times (2 refused, 1 disliked)."),
        ("zh", "有礼品卡吗？", "共被问到 3 次（拒答 2, 差评 1）。"),
    ],
)
def test_it_has_a_title_the_questions_and_what_is_known(language: Language, title: str, said: str) -> None:
    text = draft_article(TOPIC, language)
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front) == {"title": title, "language": language}
    assert body.startswith(f"# {title}\n")
    assert said in body
    assert "en/pay.md" in body
    first, second = [line for line in body.splitlines() if line.startswith("- ")]
    assert {first, second} == {'- Gift "cards": do you have #any?', "- 有礼品卡吗？"}
    assert first == f"- {title}"  # those in the draft's language come first


def test_a_whole_mail_is_cut_short(tmp_path: Path) -> None:
    mail = GapQuestion("Dear all, " + "I am Ann and " * 500, "en", 1, {"refused": 1}, "t", WHEN)
    text = draft_article(Topic(1, {"en": mail.text}, (mail,)), "en")
    assert max(map(len, text.splitlines())) <= 202
