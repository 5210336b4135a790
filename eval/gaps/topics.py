"""Questions grouped by what they are about, in both languages at once, without a model.

The embedder's vectors are compared after the mean of their language is taken away: it is what all questions of a
language share, and without it two Chinese questions about anything are nearer than one question in two languages.
The mean is of some sample questions and those at hand together: few ones, which may all be about one thing, hardly move
it; many ones take away what a whole product's questions share.

Groups are merged while the mean cosine between their questions is high enough (average linkage): no number of topics
has to be guessed, one odd question chains no topics together, and the same questions always give the same topics.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from rag.protocols import Embedder, FloatMatrix
from rag.schema import Language

LEAST_SIMILARITY = 0.35
"""Mean cosine of centred vectors from which on two groups are one topic: the best of 0.15 to 0.5 on the mean of three
labelled sets, of which one is in both languages (docs/quality.md)."""

_BATCH = 32


def embed_questions(embedder: Embedder, questions: Sequence[str]) -> FloatMatrix:
    """Return float32 [n, dimension], rows of length 1."""
    batches = [questions[start : start + _BATCH] for start in range(0, len(questions), _BATCH)]
    found = [embedder.embed_queries(batch).vectors for batch in batches]
    return np.vstack(found) if found else np.zeros((0, embedder.dimension), dtype=np.float32)


def centred(
    vectors: FloatMatrix, languages: Sequence[Language], samples: Mapping[Language, FloatMatrix]
) -> FloatMatrix:
    """Return the vectors without what their language shares, rows of length 1 again.

    ``samples`` are vectors of other questions, float32 [any, dimension] a language.
    """
    spoken = np.array(languages)
    moved = vectors.copy()
    for language in set(languages):
        own = spoken == language
        moved[own] -= np.vstack([vectors[own], samples[language]]).mean(axis=0)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(lengths, 1e-9), dtype=np.float32)


def grouped(vectors: FloatMatrix, least_similarity: float = LEAST_SIMILARITY) -> list[list[int]]:
    """Return the rows of each group, in the rows' order; groups in the order of their first row."""
    if len(vectors) < 2:
        return [[row] for row in range(len(vectors))]
    from scipy.cluster.hierarchy import fcluster, linkage  # half a second that other commands do without

    tree = linkage(vectors.astype(np.float64), method="average", metric="cosine")
    groups: dict[int, list[int]] = {}
    for row, number in enumerate(fcluster(tree, 1 - least_similarity, criterion="distance")):
        groups.setdefault(int(number), []).append(row)
    return list(groups.values())


def most_central(vectors: FloatMatrix, rows: Sequence[int]) -> list[int]:
    """Return a group's rows, the one that is nearest to all the others first."""
    own = vectors[list(rows)]
    nearness = (own @ own.sum(axis=0)).round(6)
    return [rows[place] for place in sorted(range(len(rows)), key=lambda place: (-nearness[place], place))]
