"""The real embedder puts questions for the same article together, whichever language they are in."""

import numpy as np
import pytest

from eval.gaps.report import centred, embed_questions, grouped, sample_vectors
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.text.language import question_language
from tests.eval.gaps.asked import ASKED_BY_TOPIC

pytestmark = pytest.mark.real


def test_topics_are_found_across_languages(real_settings: Settings) -> None:
    embedder = open_embedder(real_settings)
    wanted = np.array([topic for topic, questions in ASKED_BY_TOPIC.items() for _ in questions])
    questions = [question for asked in ASKED_BY_TOPIC.values() for question in asked]
    languages = [question_language(question) for question in questions]
    samples = {language: sample_vectors(embedder, language) for language in set(languages)}
    groups = grouped(centred(embed_questions(embedder, questions), languages, samples))
    found = np.zeros(len(questions), dtype=int)
    for number, rows in enumerate(groups):
        found[rows] = number
    same, together = wanted[:, None] == wanted, found[:, None] == found
    precision = ((same & together).sum(1) / together.sum(1)).mean()
    recall = ((same & together).sum(1) / same.sum(1)).mean()
    assert precision >= 0.9, groups
    assert recall >= 0.6, groups
    spoken = np.array(languages)
    assert any(len(set(spoken[rows])) == 2 for rows in groups)
