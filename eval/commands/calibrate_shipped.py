"""``python -m eval.commands.calibrate_shipped``: fits the shipped refusal threshold on questions with known answers.

The sample knowledge base is ingested into a folder of its own, each question is searched as the desk would search it,
and ``rag/retrieval/confidence.json`` is rewritten.  How much each signal counts comes from all sets together, those
under ``--eval-sets`` and of ``--desk`` included, each taken relative to its own answerable questions: for the levels do
not carry over, and what is learnt is what tells questions of one knowledge base apart.  Every set is also asked what
customers of other trades ask.  Level and threshold are the sample's.  What is reported of another set leaves that one
out.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console

from eval.core.question_sets import GOLDEN_DIR, KNOWLEDGE_DIR, OTHER_TRADES_CASES
from eval.core.statistics import (
    FALSE_REFUSALS,
    FOLDS,
    REPEATS,
    Labels,
    Matrix,
    auroc,
    calibration_error,
    cross_validated_fit,
    fit_logistic,
    probabilities_of,
    rounded,
)
from eval.desk.cases import FAR, load_cases
from ingest.golden import GoldenQuestion, load_questions
from ingest.pipeline import ingest
from ingest.self_calibration import far_questions
from rag.errors import AnswerdeskError
from rag.private_files import keep_files_private
from rag.protocols import Embedder
from rag.retrieval.confidence import ANY_EMBEDDER, CONFIDENCE_PATH, Confidence, Signals
from rag.retrieval.embedder import open_embedder
from rag.retrieval.filters import SearchOptions
from rag.retrieval.retriever import Retriever
from rag.settings import Settings, load_settings
from rag.storage.calibration import logistic
from rag.storage.store import KnowledgeStore
from rag.terminal import exit_code_of, fail
from rag.text.language import question_language
from rag.tracing import Trace

E5 = "multilingual-e5-small"
SIGNALS_OF_FIT = {
    E5: ("late", "gain", "unknown", "codes", "foreign"),
    ANY_EMBEDDER: ("unknown", "codes", "chinese"),
}
_DIGITS = 4
_UNDECIDED = Confidence(0.0, {}, 0.0)  # the file that is about to be written is not asked

Row = tuple[GoldenQuestion, Signals]
_Set = tuple[Path, Sequence[GoldenQuestion]]


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a fit does on questions that it has not seen: shares in [0, 1]."""

    auroc: float
    calibration_error: float
    false_refusals: float
    refused_unanswerable: float
    refused_by_kind: dict[str, float]


def search_all(corpus: Path, questions: Sequence[GoldenQuestion], settings: Settings, embedder: Embedder) -> list[Row]:
    """Ingest ``corpus`` into ``settings.knowledge_dir``, unless it is there, and return each question's signals."""
    ingest([corpus], settings, embedder)
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), embedder, settings, _UNDECIDED)
    return [
        (
            question,
            retriever.find(
                question.question, question_language(question.question), Trace(), SearchOptions([question.previous])
            ).signals,
        )
        for question in questions
    ]


def questions_of_cases(path: Path) -> list[GoldenQuestion]:
    """Return desk cases as questions; those that are answerable in part tell nothing and are left out."""
    return [
        GoldenQuestion(
            question_id=case.case_id,
            question=case.question,
            language=case.reader_language,
            answerable=bool(case.answerable),
            answers=(),
            key_points=case.must_contain_any,
            relevant=case.gold_docs,
            kind=case.kind,
            previous=case.turns[-2] if len(case.turns) > 1 else "",
        )
        for case in load_cases(path)
        if case.answerable != "partly"
    ]


def questions_of_other_trades() -> list[GoldenQuestion]:
    """Return the short questions that calibrate a new knowledge base, and whole customers' texts."""
    short = [
        GoldenQuestion(f"far-{number}", text, language, False, (), (), (), FAR)
        for number, (text, language) in enumerate(far_questions())
    ]
    return [*short, *questions_of_cases(OTHER_TRADES_CASES)]


def pooled_weights(sets: Sequence[Sequence[Row]], names: Sequence[str]) -> Matrix:
    """Return a weight for each signal, float64 [names], by all sets, each relative to its own answerable questions."""
    arrays = [_arrays(rows, names) for rows in sets]
    relative = [signals - signals[labels].mean(axis=0) for signals, labels in arrays]
    return fit_logistic(np.concatenate(relative), np.concatenate([labels for _, labels in arrays])).weights


def fit(rows: Sequence[Row], names: Sequence[str], weights: Matrix) -> tuple[Confidence, Figures]:
    """Fit the common scale of ``weights``, float64 [names], and the level on all rows.

    The threshold and the figures come from parts that were held out.
    """
    signals, labels = _arrays(rows, names)
    seen = (signals @ weights)[:, None]
    judged = cross_validated_fit(seen, labels)
    found = judged.fit.weights[0] * weights
    by_name = {name: round(float(weight), _DIGITS) for name, weight in zip(names, found, strict=True)}
    threshold = logistic(judged.threshold)
    confidence = Confidence(round(judged.fit.intercept, _DIGITS), by_name, round(threshold, _DIGITS))
    return confidence, _figures(rows, labels, probabilities_of(judged.logits), judged.refused)


def judge(rows: Sequence[Row], confidence: Confidence) -> Figures:
    """Return how well a fit does on another knowledge base's questions."""
    labels = np.array([question.answerable for question, _ in rows])
    probabilities = np.array([confidence.probability(signals) for _, signals in rows])
    return _figures(rows, labels, probabilities, (probabilities < confidence.threshold).astype(np.float64))


def _arrays(rows: Sequence[Row], names: Sequence[str]) -> tuple[Matrix, Labels]:
    signals = np.array([[getattr(signals, name) for name in names] for _, signals in rows], dtype=np.float64)
    return signals, np.array([question.answerable for question, _ in rows], dtype=np.bool_)


def _figures(rows: Sequence[Row], labels: Labels, probabilities: Matrix, refused: Matrix) -> Figures:
    kinds = sorted({question.kind for question, _ in rows if not question.answerable})
    of_kind = {kind: np.array([not q.answerable and q.kind == kind for q, _ in rows]) for kind in kinds}
    return Figures(
        auroc=rounded(auroc(probabilities, labels)),
        calibration_error=rounded(calibration_error(probabilities, labels)),
        false_refusals=rounded(refused[labels].mean()),
        refused_unanswerable=rounded(refused[~labels].mean()) if (~labels).any() else float("nan"),
        refused_by_kind={kind: rounded(refused[mask].mean()) for kind, mask in of_kind.items() if kind},
    )


def report(
    rows: Sequence[Row], far: Sequence[Row], transfer: Mapping[str, Sequence[Row]], today: date
) -> tuple[dict[str, object], dict[str, dict[str, Figures]]]:
    """Return the content of ``confidence.json``, and the figures by fit and set; the fitted set is ``golden``.

    ``far`` are the questions of other trades, searched in the sample; the sets of ``transfer`` have theirs among them.
    """
    fits: dict[str, object] = {}
    figures: dict[str, dict[str, Figures]] = {}
    own = [*rows, *far]
    for name, signal_names in SIGNALS_OF_FIT.items():
        confidence, held_out = fit(rows, signal_names, pooled_weights([own, *transfer.values()], signal_names))
        fits[name] = asdict(confidence)
        figures[name] = {"golden": held_out}
        for other, found in transfer.items():
            kept = [own, *(one for key, one in transfer.items() if key != other)]
            figures[name][other] = judge(found, fit(rows, signal_names, pooled_weights(kept, signal_names))[0])
    answerable = sum(question.answerable for question, _ in rows)
    content: dict[str, object] = {
        "fits": fits,
        "fitted": {
            "how": "logistic regression, penalty 1 on the standardised signals of all sets, each relative to its own "
            "answerable questions; level and threshold by data/golden, the threshold leaves "
            f"{FALSE_REFUSALS:.0%} of its answerable questions refused; judged on held-out parts of data/golden "
            f"({FOLDS} folds, {REPEATS} times; the weights have seen them), other sets by weights that have not seen "
            "them; which signals to use was chosen among some forty combinations with these same sets in view",
            "on": f"data/golden: {answerable} answerable questions and {len(rows) - answerable} unanswerable ones; "
            f"weights also on {', '.join(transfer) or 'nothing else'}, each with {len(far)} questions of other trades",
            "when": today.isoformat(),
            "with": "python -m eval.commands.calibrate_shipped",
        },
        "figures": {name: {key: asdict(value) for key, value in sets.items()} for name, sets in figures.items()},
    }
    return content, figures


def _sets_in(folder: Path) -> dict[str, _Set]:
    """Return every set under the folder that has a corpus, questions, and some that it cannot answer."""
    found: dict[str, _Set] = {}
    for corpus in sorted(folder.glob("*/corpus.jsonl")):
        questions = load_questions(corpus.with_name("questions.jsonl"))
        if not all(question.answerable for question in questions):
            found[corpus.parent.name] = corpus, questions
    return found


def _print(console: Console, figures: Mapping[str, Mapping[str, Figures]]) -> None:
    for fit_name, sets in figures.items():
        for set_name, one in sets.items():
            kinds = ", ".join(f"{kind} {share:.0%}" for kind, share in one.refused_by_kind.items())
            console.print(
                f"{fit_name:22} {set_name:18} AUROC {one.auroc:.3f}  false refusals {one.false_refusals:.1%}  "
                f"refused {one.refused_unanswerable:.1%}  calibration error {one.calibration_error:.3f}  {kinds}"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, report and write; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m eval.commands.calibrate_shipped", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--eval-sets", type=Path, metavar="FOLDER", help="question sets to judge the fit by")
    parser.add_argument(
        "--desk",
        type=Path,
        nargs=2,
        action="append",
        default=[],
        metavar=("CASES", "DOCS"),
        help="desk cases and their documents; may be given again",
    )
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="keep the knowledge bases here for the next time")
    parser.add_argument("--dry-run", action="store_true", help="report, but leave confidence.json as it is")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
        embedder = open_embedder(settings)
        with tempfile.TemporaryDirectory() as temporary:
            work = options.work or Path(temporary)
            others = questions_of_other_trades()

            def searched(name: str, corpus: Path, questions: Sequence[GoldenQuestion]) -> list[Row]:
                return search_all(corpus, questions, settings.changed(data_dir=work / name), embedder)

            rows = searched("golden", KNOWLEDGE_DIR, load_questions(GOLDEN_DIR))
            far = searched("golden", KNOWLEDGE_DIR, others)
            sets = _sets_in(options.eval_sets) if options.eval_sets else {}
            sets |= {cases.stem: (docs, questions_of_cases(cases)) for cases, docs in options.desk}
            transfer = {name: searched(name, corpus, [*asked, *others]) for name, (corpus, asked) in sets.items()}
    except AnswerdeskError as error:
        return fail(error)
    content, figures = report(rows, far, transfer, date.today())
    _print(Console(), figures)
    if not options.dry_run:
        CONFIDENCE_PATH.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
