"""``python -m eval.commands.query_projection``: fits the linear map of a question's tokens.

multilingual-e5-small was trained on whole texts; late interaction compares its tokens.  A customer's "it won't turn on"
and a manual's "the device does not start" are near each other as texts, but not word by word.  The map brings a
question's tokens nearer to those of the passage and of the sentences that answer it, and away from those that were
found beside them.  A passage's tokens stay as they are, so no knowledge base is rebuilt.

The loss is the cross-entropy of the right texts among those compared (A. van den Oord and others, Representation
Learning with Contrastive Predictive Coding, 2018), with late interaction as the score.  ``query_projection.json`` is
rewritten; after that ``python -m eval.commands.calibrate_shipped`` must fit the refusals anew, for they depend on the
late interaction.  What is reported of a folder of documents comes from a map fitted without it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from eval.commands.shared import progress_in
from eval.core.progress import Progress, question_counter
from eval.core.statistics import rounded_mean
from eval.desk.cases import DeskCase, load_cases
from eval.desk.judging import has_gold, normalise
from eval.desk.measurement import open_desk_parts
from rag.errors import AnswerdeskError, SettingsError
from rag.pipeline import Pipeline
from rag.private_files import keep_files_private
from rag.protocols import FloatMatrix
from rag.retrieval.embedder_tokens import PROJECTION_PATH, TokenKeeper, pack_projection, project
from rag.retrieval.late_interaction import Signs, similarities, tokens_of_spans, unpack_signs
from rag.retrieval.model_folders import openvino_folder
from rag.retrieval.openvino_embedder import OpenVinoEmbedder
from rag.schema import Chunk, QuestionTokens
from rag.settings import Settings, load_settings
from rag.storage.embeddings import EmbeddingTable
from rag.storage.store import KnowledgeStore
from rag.terminal import exit_code_of, fail, terminal_language
from rag.text.parsed import parse_text
from rag.translate import translate

Matrix = NDArray[np.float64]

_EPOCHS, _BATCH = 4, 16
_LEARNING_RATE, _DECAY = 3e-4, 0.02
_TEMPERATURE = 0.05
_SENTENCE_WEIGHT = 1.5
"""From half to twice the decay, temperature and weight, and from three to six epochs, the shares on documents that were
held out stay within two points."""

_MOST_WRONG = 60
"""Wrong sentences that are compared with a question in an epoch, drawn anew each time."""

_CHUNKS_READ = 12
"""The sentences of as many chunks are compared, about as many as are shown."""

_FEWEST_TOKENS = 3
"""A sentence of fewer tokens says nothing by itself."""

_SMALLEST_WEIGHT = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Texts that a question is compared with, as the signs of their tokens, and which ones answer it, bool [n]."""

    texts: tuple[Signs, ...]
    right: NDArray[np.bool_]

    @property
    def tells_apart(self) -> bool:
        """Whether there are texts of both kinds."""
        return bool(self.right.any() and not self.right.all())

    def rank(self, question: QuestionTokens) -> int:
        """Return the rank of the best right text by late interaction, from 1."""
        scores = similarities(question, self.texts)
        return 1 + int((scores[~self.right] > scores[self.right].max()).sum())

    def sample(self, most_wrong: int, chance: np.random.Generator) -> "Comparison":
        """Return all right texts, with as many wrong ones."""
        wrong = np.flatnonzero(~self.right)
        drawn = chance.choice(wrong, most_wrong, replace=False) if len(wrong) > most_wrong else wrong
        places = [*np.flatnonzero(self.right), *drawn]
        return Comparison(tuple(self.texts[place] for place in places), self.right[places])


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A question's tokens, and the passages and the sentences that were found for it."""

    question: QuestionTokens
    passages: Comparison
    sentences: Comparison

    def projected(self, projection: FloatMatrix | None) -> QuestionTokens:
        """Return the question's tokens with a projection; as they are where it is None."""
        own = self.question
        return own if projection is None else QuestionTokens(project(own.vectors, projection), own.weights)


def examples_of(
    file: Path, documents: Path, settings: Settings, embedder: OpenVinoEmbedder, progress: Progress
) -> list[Example]:
    """Ask the search every case whose right documents are known, in a knowledge base of its own.

    A passage is right if its document is, a sentence if the case quotes it.  Raises ``SettingsError`` where no case
    names a document, and what ``load_cases`` and an ingest raise.
    """
    cases = load_cases(file)
    parts = open_desk_parts(documents, settings, progress, embedder)
    pipeline, store = Pipeline(parts), parts.store
    advance = question_counter(progress, file.name, len(cases))
    found: list[Example] = []
    for case in cases:
        _, retrieval = pipeline.prepare(case.question, earlier=case.turns[:-1], reader_language=case.reader_language)
        chunks = [one.chunk for one in retrieval.chunks]
        if retrieval.tokens is not None and chunks and case.gold_docs:
            held = store.documents_of([chunk.document_id for chunk in chunks], retrieval.generation)
            right = [has_gold([held[chunk.document_id].path], case.gold_docs) for chunk in chunks]
            found.append(_example(case, retrieval.tokens, list(zip(chunks, right, strict=True)), store, embedder))
        advance(case)
    store.close()
    if not found:
        raise SettingsError(reason=translate("eval.no_relevant", terminal_language(), questions=file.name))
    return found


def _example(
    case: DeskCase,
    question: QuestionTokens,
    chunks: Sequence[tuple[Chunk, bool]],
    store: KnowledgeStore,
    embedder: OpenVinoEmbedder,
) -> Example:
    table = EmbeddingTable(store, embedder.model_id, embedder.dimension)
    signs = table.token_signs([chunk.chunk_id for chunk, _ in chunks])
    kept = [(signs[chunk.chunk_id], chunk, right) for chunk, right in chunks if len(signs.get(chunk.chunk_id, ()))]
    quotes = list(map(normalise, case.quotes))
    sentences = [
        (own[first : first + length], right and is_quoted(text, quotes))
        for own, chunk, right in kept[:_CHUNKS_READ]
        for text, first, length in _sentences(chunk, embedder)
    ]
    return Example(
        QuestionTokens(question.vectors, question.weights),  # without the cosines, which would fill the memory
        _comparison([(own, right) for own, _, right in kept]),
        _comparison(sentences),
    )


def _comparison(texts: Sequence[tuple[Signs, bool]]) -> Comparison:
    return Comparison(tuple(signs for signs, _ in texts), np.array([right for _, right in texts], dtype=np.bool_))


def _sentences(chunk: Chunk, embedder: OpenVinoEmbedder) -> list[tuple[str, int, int]]:
    """Return the sentences of a chunk, each with its first token's place and how many tokens it has."""
    parsed = parse_text(chunk.text)
    ends = np.array([end for _, end in embedder.token_spans(chunk.embedded_text)], dtype=np.int64)
    offset = chunk.text_offset
    spans = [(offset + one.span.start, offset + one.span.end) for one in parsed.sentences]
    first, lengths = tokens_of_spans(ends, spans)
    return [
        (parsed.words(place), int(first[place]), int(lengths[place]))
        for place, sentence in enumerate(parsed.sentences)
        if not sentence.is_context and lengths[place] >= _FEWEST_TOKENS
    ]


def is_quoted(sentence: str, quotes: Sequence[str]) -> bool:
    """Tell whether a sentence holds a quote, or is part of one."""
    own = normalise(sentence)
    return bool(own) and any(quote in own or own in quote for quote in quotes)


class _Adam:
    """Adam's steps for one matrix (D. Kingma and J. Ba, https://arxiv.org/abs/1412.6980, with their constants)."""

    def __init__(self, dimension: int, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self.matrix = np.zeros((dimension, dimension))
        self._mean, self._square = np.zeros_like(self.matrix), np.zeros_like(self.matrix)
        self._steps = 0

    def step(self, gradient: Matrix) -> None:
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * gradient
        self._square = 0.999 * self._square + 0.001 * gradient**2
        mean, square = self._mean / (1 - 0.9**self._steps), self._square / (1 - 0.999**self._steps)
        self.matrix -= self._learning_rate * mean / (np.sqrt(square) + 1e-8)


def fit_projection(
    examples: Sequence[Example],
    *,
    epochs: int = _EPOCHS,
    learning_rate: float = _LEARNING_RATE,
    seed: int = 0,
    advance: Callable[[object], None] = lambda example: None,
) -> FloatMatrix:
    """Return the projection that ``project`` takes, float32 [dimension, dimension], fitted on at least one example.

    ``advance`` is called with each example, in each epoch.
    """
    chance = np.random.default_rng(seed)
    fitted = _Adam(examples[0].question.vectors.shape[1], learning_rate)
    for _ in range(epochs):
        order = chance.permutation(len(examples))
        for begin in range(0, len(order), _BATCH):
            gradient = 2 * _DECAY * fitted.matrix
            for place in order[begin : begin + _BATCH]:
                gradient += loss_and_gradient(examples[place], fitted.matrix, chance)[1] / _BATCH
                advance(examples[place])
            fitted.step(gradient)
    return np.asarray(fitted.matrix, dtype=np.float32)


def loss_and_gradient(example: Example, projection: Matrix, chance: np.random.Generator) -> tuple[float, Matrix]:
    """Return the cross-entropy of the right passages and sentences, and its gradient by the projection, [d, d]."""
    own = example.question.vectors
    rows = own.astype(np.float64) + own @ projection
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    question = rows / lengths
    weights = example.question.weights / max(example.question.weights.sum(), _SMALLEST_WEIGHT)
    total, by_question = 0.0, np.zeros_like(question)
    for comparison, importance in ((example.passages, 1.0), (example.sentences, _SENTENCE_WEIGHT)):
        if comparison.tells_apart:
            loss, slope = _compare(question, weights, comparison.sample(_MOST_WRONG, chance))
            total += importance * loss
            by_question += importance * slope
    by_rows = (by_question - question * (by_question * question).sum(axis=1, keepdims=True)) / lengths
    return total, own.T @ by_rows


def _compare(question: Matrix, weights: NDArray[np.float64], comparison: Comparison) -> tuple[float, Matrix]:
    """Return the cross-entropy of the right texts, and its gradient by the question's tokens, [q, d].

    The score of a text is its late interaction as a whole.
    """
    dimension = question.shape[1]
    tokens = unpack_signs(np.concatenate(comparison.texts), dimension) / np.sqrt(dimension)
    cosines = tokens @ question.T
    ends = np.cumsum([len(signs) for signs in comparison.texts])
    begins = [0, *ends[:-1]]
    best = np.array([b + cosines[b:e].argmax(axis=0) for b, e in zip(begins, ends, strict=True)])  # tokens, [n, q]
    scores = np.take_along_axis(cosines, best, axis=0) @ weights / _TEMPERATURE
    all_texts = np.exp(scores - scores.max())
    right = all_texts * comparison.right
    by_score = (all_texts / all_texts.sum() - right / right.sum()) / _TEMPERATURE
    slope = weights[:, None] * np.einsum("n,nqd->qd", by_score, tokens[best])
    return float(np.log(all_texts.sum() / right.sum())), slope


def figures_of(examples: Sequence[Example], projection: FloatMatrix | None) -> dict[str, float | None]:
    """Return the mean reciprocal rank of passages and of sentences by late interaction alone, and the first's R@5."""
    questions = [example.projected(projection) for example in examples]
    pairs = list(zip(questions, examples, strict=True))
    passages = [one.passages.rank(question) for question, one in pairs if one.passages.tells_apart]
    sentences = [one.sentences.rank(question) for question, one in pairs if one.sentences.tells_apart]
    return {
        "questions": len(examples),
        "passage_mrr": rounded_mean([1 / rank for rank in passages]),
        "passage_recall_at_5": rounded_mean([rank <= 5 for rank in passages]),
        "sentence_mrr": rounded_mean([1 / rank for rank in sentences]),
    }


def held_out_figures(sets: Mapping[str, Sequence[Example]], progress: Progress) -> dict[str, dict[str, object]]:
    """Return for each set its figures without a projection, and with one that was fitted on the others."""
    found: dict[str, dict[str, object]] = {}
    for name, examples in sets.items():
        others = [one for other, own in sets.items() if other != name for one in own]
        advance = question_counter(progress, name, _EPOCHS * len(others))
        fitted = fit_projection(others, advance=advance) if others else None
        found[name] = {"without": figures_of(examples, None), "with": figures_of(examples, fitted)}
    return found


def _content(
    sets: Mapping[str, Sequence[Example]], figures: Mapping[str, object], projection: FloatMatrix
) -> dict[str, object]:
    """Return the content of ``query_projection.json``."""
    return {
        "projection": pack_projection(projection),
        "fitted": {
            "how": f"Adam, {_EPOCHS} epochs; the figures of a set are by late interaction alone, with a projection "
            "that was fitted on the other sets",
            "on": f"{sum(map(len, sets.values()))} customers' questions about the pages of {len(sets)} sets of "
            f"organisations: {', '.join(sets)}",
            "when": date.today().isoformat(),
            "with": "python -m eval.commands.query_projection",
        },
        "figures": figures,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, report and write; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.commands.query_projection", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--desk",
        type=Path,
        nargs=2,
        action="append",
        required=True,
        metavar=("CASES", "DOCS"),
        help="desk cases and their documents; may be given again",
    )
    parser.add_argument("--dry-run", action="store_true", help="report, but leave query_projection.json as it is")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
        embedder = OpenVinoEmbedder(openvino_folder(settings), settings.embedder_threads, TokenKeeper.unprojected())
        with progress_in(Console(stderr=True)) as progress:
            sets = {
                cases.stem: examples_of(cases, documents, settings, embedder, progress)
                for cases, documents in options.desk
            }
            figures = held_out_figures(sets, progress)
            every = [one for own in sets.values() for one in own]
            projection = fit_projection(every, advance=question_counter(progress, "all", _EPOCHS * len(every)))
    except AnswerdeskError as error:
        return fail(error)
    for name, one in figures.items():
        Console().print(f"{name:18} {one['without']} -> {one['with']}")
    if not options.dry_run:
        PROJECTION_PATH.write_text(json.dumps(_content(sets, figures, projection)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
