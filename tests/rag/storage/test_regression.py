"""Regression questions beside the knowledge base: kept, replaced, embedded once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.protocols import QueryVectors
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.writer import KnowledgeWriter
from rag.testing import HashEmbedder


class Asked(HashEmbedder):
    """Remembers the questions that it embedded."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.questions: list[str] = []

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        self.questions += texts
        return super().embed_queries(texts)


@pytest.fixture
def questions(tmp_path: Path) -> RegressionQuestions:
    return RegressionQuestions(KnowledgeWriter(tmp_path).database)


def asked(question: str, *document_ids: str, quote: str = "") -> RegressionQuestion:
    return RegressionQuestion(question, "en", document_ids or ("a.md",), quote)


def test_a_file_replaces_the_file_before_and_corrections_stay(questions: RegressionQuestions) -> None:
    questions.add(RegressionQuestion("Wo?", "en", ("b.md",), "Here.", "correction"))
    questions.replace_file([asked("one"), asked("two", "x.md", "y.md")])
    questions.replace_file([asked("two", "z.md"), asked("Wo?", "c.md")])
    kept = [(one.asked.question, one.asked.document_ids, one.asked.origin) for one in questions.all()]
    assert kept == [("Wo?", ("c.md",), "correction"), ("two", ("z.md",), "file")]
    questions.replace_file([])
    assert [one.asked.question for one in questions.all()] == ["Wo?"]


def test_what_is_known_of_an_answer_is_kept_and_replaced(questions: RegressionQuestions) -> None:
    known = RegressionQuestion(
        "Wie lange?", "en", ("b.md",), answers=("30 days", "a month"), key_points=(("30",), ("days",))
    )
    questions.replace_file([known, asked("one")])
    assert [(one.asked.answers, one.asked.key_points) for one in questions.all()] == [
        (("30 days", "a month"), (("30",), ("days",))),
        ((), ()),
    ]
    questions.add(RegressionQuestion("Wie lange?", "en", ("b.md",), answers=("60 days",)))
    assert (questions.all()[0].asked.answers, questions.all()[0].asked.key_points) == (("60 days",), ())


def test_a_question_whose_known_answer_holds_something_is_erased(questions: RegressionQuestions) -> None:
    questions.replace_file(
        [
            RegressionQuestion("one", "en", ("a.md",), answers=("Ask Quirina.",)),
            RegressionQuestion("two", "en", ("a.md",), key_points=(("Quirina",),)),
            asked("three"),
        ]
    )
    assert questions.erase(lambda text: "Quirina" in text) == 2
    assert [one.asked.question for one in questions.all()] == ["three"]


def test_places_are_kept_and_new_names_are_expected_too(questions: RegressionQuestions) -> None:
    questions.replace_file([asked("one", "a.md"), asked("two", "b.md", "c.md"), asked("three", "d.md")])
    first, second, third = (one.number for one in questions.all())
    questions.settle(4, {first: 2, second: None}, {"b.md": "new/b.md", "d.md": "d.md"})
    found = {one.number: one for one in questions.all()}
    assert (found[first].place, found[first].placed_in) == (2, 4)
    assert (found[second].place, found[second].placed_in) == (None, 4)
    assert found[second].asked.document_ids == ("b.md", "c.md", "new/b.md")
    assert (found[third].placed_in, found[third].asked.document_ids) == (0, ("d.md",))
    questions.settle(5, {}, {"b.md": "new/b.md"})
    assert len(questions.all()[1].asked.document_ids) == 3, "a name is added once"


def test_a_question_is_embedded_once_for_an_embedder(questions: RegressionQuestions) -> None:
    embedder = Asked()
    first = questions.embedded(embedder, ["red kettle", "blue lock"])
    again = questions.embedded(embedder, ["blue lock", "red kettle", "new"])
    assert embedder.questions == ["red kettle", "blue lock", "new"]
    np.testing.assert_array_equal(first[0].vectors, again[1].vectors)
    np.testing.assert_array_equal(first[0].tokens[0].vectors, again[1].tokens[0].vectors)
    np.testing.assert_array_equal(first[0].tokens[0].numbers, again[1].tokens[0].numbers)
    questions.embedded(embedder, ["other"])
    questions.embedded(embedder, ["new"])
    assert embedder.questions[-2:] == ["other", "new"], "vectors of questions that are asked no more are not kept"
    other = Asked(32)
    questions.embedded(other, ["new"])
    assert other.questions == ["new"]


@pytest.mark.parametrize(("question", "document_ids"), [(" ", ("a",)), ("why", ())])
def test_a_question_without_words_or_documents_is_refused(question: str, document_ids: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least one document"):
        RegressionQuestion(question, "en", document_ids)
