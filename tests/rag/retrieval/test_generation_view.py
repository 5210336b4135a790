"""Mean, spread and closeness without comparing anything, against comparing everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.protocols import FloatMatrix
from rag.retrieval.generation_index import LanguageIndex, Moments, Part, empty_part
from rag.retrieval.generation_view import LanguageVectors, Similarities
from rag.retrieval.postings import Postings
from rag.retrieval.vector_index import FaissVectorIndex


def unit_rows(count: int, seed: int, dimension: int = 8) -> FloatMatrix:
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def language_vectors(rows: FloatMatrix) -> LanguageVectors:
    moments = Moments.none(rows.shape[1]).changed(rows)
    vectors = FaissVectorIndex.build(np.arange(len(rows)), rows)
    base = Part(vectors, Postings.build([""] * len(rows), 1.0))
    return LanguageVectors(LanguageIndex(base, empty_part(rows.shape[1]), np.empty(0, np.int64), moments))


@pytest.mark.slow
@given(st.integers(1, 50), st.integers(0, 1000))
def test_moments_equal_those_of_all_cosines(count: int, seed: int) -> None:
    rows, query = unit_rows(count, seed), unit_rows(1, seed + 1)
    found = language_vectors(rows).similarities(query)
    cosines = (rows @ query[0]).astype(np.float64)
    assert found.count == count
    assert found.mean == pytest.approx(cosines.mean(), abs=1e-5)
    assert found.spread == pytest.approx(cosines.std(), abs=1e-3)


def test_standing_out_by_hand() -> None:
    assert Similarities(0.8, 0.02, 10).standardized(0.86) == pytest.approx(3.0)
    assert Similarities(0.8, 0.0, 1).standardized(0.8) == 0.0


@pytest.mark.slow
def test_closeness_of_few_passages_is_the_usual_and_of_many_their_own() -> None:
    assert language_vectors(unit_rows(1, 0)).closeness == pytest.approx(0.84)
    rows = unit_rows(2000, 0)
    cosines = rows @ rows.T
    among = (cosines.sum() - 2000) / (2000 * 1999)
    assert language_vectors(rows).closeness == pytest.approx((2000 * among + 50 * 0.84) / 2050, abs=1e-4)
