"""``python -m eval.commands.sentence_weights``: fits what ranks the sentences of the passages, and how sure that is.

Every desk case is asked, and the sentences that it quotes are those that answer it.  The weights maximise the
probability of these under a softmax over all sentences of a question (D. McFadden's conditional logit, 1974).  The
shipped projection of a question's tokens knows the questions it was fitted on, so each half of the sets is searched
with a projection that was fitted on the other half.  A logistic regression then says how probably the stretch below a
reply holds such a sentence.  ``rag/evidence/sentence_weights.json`` is rewritten.  What is reported of a set comes from
fits without it.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from eval.commands.query_projection import Example, examples_of, fit_projection, is_quoted
from eval.commands.shared import progress_in
from eval.core.progress import Progress, question_counter
from eval.core.statistics import LogisticFit, auroc, fit_logistic, rounded_mean
from eval.desk.cases import load_cases
from eval.desk.judging import has_gold, normalise
from eval.desk.measurement import open_desk_parts
from rag.errors import AnswerdeskError, SettingsError
from rag.evidence.selection import FEATURES, STRETCH_SIGNALS, WEIGHTS_PATH, probabilities, shipped_stretch_fit
from rag.pipeline import AskOptions, Pipeline
from rag.private_files import keep_files_private
from rag.protocols import FloatMatrix
from rag.retrieval.embedder_tokens import TokenKeeper
from rag.retrieval.model_folders import openvino_folder
from rag.retrieval.openvino_embedder import OpenVinoEmbedder
from rag.schema import Evidence, Language
from rag.settings import Settings, load_settings
from rag.terminal import exit_code_of, fail, terminal_language
from rag.translate import translate

Floats = NDArray[np.float64]

PENALTY = 1.0
"""Of the squared weights, against the sum over all questions of the negative logarithm of the probability.  With 10,
30, 100 and 300 the mean of the held-out figures falls by .002, .004, .008 and .011."""
_STEPS = 30
_DIGITS = 3
_LIKENESS = np.eye(len(FEATURES))[FEATURES.index("likeness")]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The ``features`` of the sentences of a question, float64 [n, features], and which ones answer it, bool [n]."""

    features: Floats
    right: NDArray[np.bool_]

    def rank(self, weights: Floats) -> int:
        """Return the rank of the best right sentence, from 1."""
        scores = self.features @ weights
        return 1 + int((scores[~self.right] > scores[self.right].max()).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """The ``STRETCH_SIGNALS`` of n stretches below a reply, float64 [n, signals], and which ones answer, bool [n]."""

    signals: Floats
    right: NDArray[np.bool_]

    @classmethod
    def joined(cls, several: Iterable[Self]) -> Self:
        """Return several together."""
        parts = list(several)
        return cls(np.concatenate([one.signals for one in parts]), np.concatenate([one.right for one in parts]))


def sample_of(
    file: Path, documents: Path, settings: Settings, embedder: OpenVinoEmbedder, progress: Progress
) -> tuple[list[Choice], Stretches]:
    """Return a choice for each case whose quoted sentences are among those that a model might read, and all stretches.

    The stretches are chosen by the shipped weights.  Raises ``SettingsError`` where there is no choice, and what
    ``load_cases`` and an ingest raise.
    """
    cases = load_cases(file)
    parts = open_desk_parts(documents, settings, progress, embedder)
    pipeline, store = Pipeline(parts), parts.store
    advance = question_counter(progress, file.name, len(cases))
    found: list[Choice] = []
    stretches: list[tuple[Floats, bool]] = []
    for case in cases:
        options = AskOptions(case.turns[:-1], reader_language=case.reader_language)
        ranked = pipeline.rank_sentences(case.question, options)
        candidates = ranked.candidates
        held = store.documents_of([passage.document_id for _, passage, _ in candidates], pipeline.generation)
        quotes = list(map(normalise, case.quotes))
        right = np.array(
            [
                has_gold([held[passage.document_id].path], case.gold_docs) and is_quoted(text, quotes)
                for _, passage, text in candidates
            ],
            dtype=np.bool_,
        )
        if right.any() and not right.all():
            found.append(Choice(ranked.features[[place for place, _, _ in candidates]], right))
        stretch = ranked.below_reply(_quotable_in(options.language_of(case.question)))
        if stretch.signals is not None:
            answering = {place for (place, _, _), is_right in zip(candidates, right, strict=True) if is_right}
            stretches.append((stretch.signals, not stretch.places.isdisjoint(answering)))
        advance(case)
    store.close()
    if not found:
        raise SettingsError(reason=translate("eval.no_relevant", terminal_language(), questions=file.name))
    signals, answers = zip(*stretches, strict=True)
    return found, Stretches(np.array(signals), np.array(answers, dtype=np.bool_))


def _quotable_in(language: Language) -> Callable[[Evidence], bool]:
    return lambda passage: passage.may_be_quoted and passage.language == language


def fit_weights(choices: Sequence[Choice]) -> Floats:
    """Return the weights, float64 [features], fitted on at least one choice.

    Newton's steps, with the curvature of the softmax over all sentences: that of the right ones, which would be
    subtracted, could make a step go uphill.
    """
    weights = np.zeros(len(FEATURES))
    for _ in range(_STEPS):
        slope, curvature = PENALTY * weights, PENALTY * np.eye(len(FEATURES))
        for choice in choices:
            scores = choice.features @ weights
            of_all, of_right = probabilities(scores), probabilities(scores[choice.right])
            mean = of_all @ choice.features
            slope += mean - of_right @ choice.features[choice.right]
            curvature += (choice.features * of_all[:, None]).T @ choice.features - np.outer(mean, mean)
        weights -= np.linalg.solve(curvature, slope)
    return weights


def held_out_figures(sets: Mapping[str, Sequence[Choice]]) -> dict[str, dict[str, object]]:
    """Return for each set the mean reciprocal rank of its right sentences.

    By likeness to the question alone, and by weights that were fitted on the other sets.
    """
    found: dict[str, dict[str, object]] = {}
    for name, choices in sets.items():
        others = [one for other, own in sets.items() if other != name for one in own]
        fitted = fit_weights(others) if others else _LIKENESS
        found[name] = {
            "questions": len(choices),
            "by_likeness": rounded_mean([1 / one.rank(_LIKENESS) for one in choices]),
            "by_weights": rounded_mean([1 / one.rank(fitted) for one in choices]),
        }
    return found


def fit_stretches(stretches: Sequence[Stretches]) -> LogisticFit | None:
    """Return the fit of the probability that a stretch answers; None unless some do and some do not."""
    every = Stretches.joined(stretches) if stretches else None
    return None if every is None or len(set(every.right.tolist())) < 2 else fit_logistic(every.signals, every.right)


def held_out_stretches(sets: Mapping[str, Stretches]) -> dict[str, dict[str, object]]:
    """Return for each set how many stretches answer, and how well a fit on the other sets tells them apart."""
    found: dict[str, dict[str, object]] = {}
    for name, own in sets.items():
        fit = fit_stretches([stretches for other, stretches in sets.items() if other != name])
        area = auroc(fit.logits(own.signals), own.right) if fit is not None else float("nan")
        found[name] = {
            "stretches": len(own.right),
            "stretches_right": int(own.right.sum()),
            "stretches_auroc": None if math.isnan(area) else round(area, _DIGITS),
        }
    return found


def _embedders_for(sets: Sequence[tuple[Path, Path]], settings: Settings, progress: Progress) -> list[OpenVinoEmbedder]:
    """Return an embedder for each set, whose projection was fitted on every other of the other sets."""
    bare = TokenKeeper.unprojected()

    def embedder(keeper: TokenKeeper) -> OpenVinoEmbedder:
        return OpenVinoEmbedder(openvino_folder(settings), settings.embedder_threads, keeper)

    unprojected = embedder(bare)
    if len(sets) == 1:
        return [unprojected]
    examples = [examples_of(cases, documents, settings, unprojected, progress) for cases, documents in sets]
    projections = [_projection_of(examples[1::2], progress), _projection_of(examples[::2], progress)]
    of_half = [embedder(bare.projecting(one)) for one in projections]
    return [of_half[number % 2] for number in range(len(sets))]


def _projection_of(sets: Sequence[Sequence[Example]], progress: Progress) -> FloatMatrix:
    every = [one for own in sets for one in own]
    return fit_projection(every, advance=question_counter(progress, "projection", len(every)))


def _content(
    sets: Mapping[str, Sequence[Choice]], figures: Mapping[str, object], weights: Floats, stretch: LogisticFit | None
) -> dict[str, object]:
    """Return the content of ``sentence_weights.json``; without a fit of stretches, the shipped one stays."""
    intercept, by_signal = shipped_stretch_fit() if stretch is None else (stretch.intercept, stretch.weights)
    return {
        "weights": _rounded(FEATURES, weights),
        "stretch": {"intercept": round(intercept, _DIGITS), **_rounded(STRETCH_SIGNALS, by_signal)},
        "fitted": {
            "how": f"conditional logit, penalty {PENALTY:g}; the figures of a set are mean reciprocal ranks of the "
            "sentences that answer, with weights that were fitted on the other sets",
            "on": f"{sum(map(len, sets.values()))} customers' questions about the pages of {len(sets)} sets of "
            f"organisations: {', '.join(sets)}",
            "when": date.today().isoformat(),
            "with": "python -m eval.commands.sentence_weights",
        },
        "figures": figures,
    }


def _rounded(names: Sequence[str], weights: Floats) -> dict[str, float]:
    return {name: round(float(weight), _DIGITS) for name, weight in zip(names, weights, strict=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, report and write; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.commands.sentence_weights", description=__doc__.splitlines()[0]
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
    parser.add_argument("--dry-run", action="store_true", help="report, but leave sentence_weights.json as it is")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
        with progress_in(Console(stderr=True)) as progress:
            embedders = _embedders_for(options.desk, settings, progress)
            samples = {
                cases.stem: sample_of(cases, documents, settings, embedder, progress)
                for (cases, documents), embedder in zip(options.desk, embedders, strict=True)
            }
    except AnswerdeskError as error:
        return fail(error)
    sets = {name: choices for name, (choices, _) in samples.items()}
    stretches = {name: own for name, (_, own) in samples.items()}
    of_stretches = held_out_stretches(stretches)
    figures = {name: one | of_stretches[name] for name, one in held_out_figures(sets).items()}
    for name, one in figures.items():
        Console().print(f"{name:18} {one}")
    if not options.dry_run:
        weights = fit_weights([one for own in sets.values() for one in own])
        content = _content(sets, figures, weights, fit_stretches(list(stretches.values())))
        WEIGHTS_PATH.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
