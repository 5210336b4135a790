"""Search results: scored chunks with their documents."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag.schema.documents import Chunk

if TYPE_CHECKING:  # the processes that read files and the terminal's first word do without numpy
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found by one leg of the search.  ``score`` is that leg's own: cosine in [-1, 1], or BM25 >= 0."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class RetrievedChunk:
    """A chunk after ranking, best first.

    ``score`` compares the chunks of one question only.  ``bm25`` is None where the question's words did not find it,
    ``late`` (the late interaction, a mean cosine of tokens) where its tokens are not kept.
    """

    chunk: Chunk
    score: float
    cosine: float | None = None
    bm25: float | None = None
    late: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class QuestionTokens:
    """A question's tokens as the embedder sees them, for comparing it with passages and sentences word by word.

    ``vectors`` are float32 [q, dimension], rows of length 1; ``weights``, float64 [q], how much each counts.
    """

    vectors: "NDArray[np.float32]"
    weights: "NDArray[np.float64]"


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What retrieval found for one question, and how sure it is that the answer is in there.

    ``answerable_probability`` in [0, 1] is calibrated (``rag/retrieval/confidence.py``), on the knowledge base's own
    questions where it has a calibration; ``base_probability`` is what it would be without, ``threshold`` from where
    on it is answered.  ``generation`` is the
    knowledge-base generation that served it.  ``tokens`` are the question's (``rag/retrieval/sentence_similarity.py``).
    """

    chunks: tuple[RetrievedChunk, ...]
    answerable_probability: float
    answerable: bool
    generation: int
    tokens: QuestionTokens | None = field(default=None, compare=False, repr=False)
    base_probability: float = 0.0
    threshold: float = 0.0
