"""``python -m eval calibrate refusal``: fits when a model's reading of the passages means a refusal.

Every question with and without an answer in the knowledge base is retrieved, and the model is asked whether the answer
is there (``rag/answering/reader.py``); nothing is generated.  What it said is kept question by question, so that an
interrupted run goes on.  A logistic regression is fitted and judged on parts that were held out.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from rich.console import Console

from eval.dataset import GOLDEN_DIR, drawn
from eval.logistic import (
    auroc,
    calibration_error,
    fit_logistic,
    held_out_logits,
    probabilities_of,
    refused_when_held_out,
    threshold_at,
)
from eval.tables import question_bar, words
from ingest.golden import GoldenQuestion, load_questions
from rag.answering.reader import READING_PATH, Reading, ReadingFit, reading_features
from rag.errors import AnswerdeskError, SettingsError
from rag.factory import build_pipeline
from rag.settings import load_settings
from rag.terminal import fail, terminal_language

FALSE_REFUSALS = 0.04
"""A little under the 5 % that are meant: on questions that were not seen, somewhat more are refused."""

QUOTE_PRECISION = 0.7
"""A quotation takes the place of a reply without support where at least this share of such questions has an answer."""

_FOLDS, _REPEATS = 5, 5
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """One question, whether it has an answer in the knowledge base, and what was read."""

    question_id: str
    answerable: bool
    reading: Reading


def read_all(
    read: Callable[[str], Reading],
    questions: Sequence[GoldenQuestion],
    path: Path,
    progress: Callable[[], None] = lambda: None,
) -> list[Judged]:
    """Ask what ``path`` does not hold yet, one JSONL line a question, and return all."""
    adapter = TypeAdapter(Judged)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    done = {one.question_id: one for one in map(adapter.validate_json, (line for line in lines if line.endswith("\n")))}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line for line in lines if line.endswith("\n")), encoding="utf-8")
    with path.open("a", encoding="utf-8") as file:
        for question in questions:
            if question.question_id not in done:
                one = Judged(question.question_id, question.answerable, read(question.question))
                file.write(adapter.dump_json(one).decode() + "\n")
                file.flush()
                done[question.question_id] = one
            progress()
    return [done[question.question_id] for question in questions]


def fit(judged: Sequence[Judged]) -> tuple[ReadingFit, dict[str, float]]:
    """Return the fit on all questions, and how well such a fit does on held-out ones.

    Raises ``SettingsError`` where one kind of question is missing.
    """
    usable = [one for one in judged if one.reading.yes is not None]
    labels = np.array([one.answerable for one in usable], dtype=np.bool_)
    if min(labels.sum(), (~labels).sum()) < _FOLDS:
        raise SettingsError(reason=f"at least {_FOLDS} questions with and {_FOLDS} without an answer are needed")
    features = np.array([_features(one.reading) for one in usable], dtype=np.float64)
    logits = np.mean([held_out_logits(features, labels, _FOLDS, seed) for seed in range(_REPEATS)], axis=0)
    whole = fit_logistic(features, labels)
    probabilities = probabilities_of(logits)
    yes, retrieval, chinese = (round(float(weight), _DIGITS) for weight in whole.weights)
    refuse_below = float(probabilities_of(np.array([threshold_at(logits, labels, FALSE_REFUSALS)]))[0])
    fitted = ReadingFit(
        intercept=round(whole.intercept, _DIGITS),
        yes=yes,
        retrieval=retrieval,
        chinese=chinese,
        refuse_below=round(refuse_below, _DIGITS),
        quote_from=round(max(QUOTE_PRECISION, refuse_below), _DIGITS),
    )
    refused = refused_when_held_out(features, labels, FALSE_REFUSALS, _FOLDS, _REPEATS)
    figures = {
        "n": len(usable),
        "auroc": auroc(probabilities, labels),
        "auroc_of_retrieval": auroc(features[:, 1], labels),
        "ece": calibration_error(probabilities, labels),
        "refused_answerable": float(refused[labels].mean()),
        "refused_unanswerable": float(refused[~labels].mean()),
    }
    return fitted, {name: round(float(value), _DIGITS) for name, value in figures.items()}


def _features(reading: Reading) -> tuple[float, float, float]:
    return reading_features(yes=reading.yes or 0.0, retrieval=reading.retrieval, language=reading.language)


def save(model: str, fitted: ReadingFit, figures: dict[str, float], questions: Path, path: Path = READING_PATH) -> None:
    """Write a model's fit, and on what and when it was made, beside those of other models."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["fits"][model] = asdict(fitted)
    content.setdefault("fitted", {})[model] = {
        "on": questions.name,
        "when": date.today().isoformat(),
        "how": "logistic regression, penalty 1 on the standardised features; the threshold leaves "
        f"{FALSE_REFUSALS:.0%} of the answerable questions refused; figures from held-out parts",
        "figures": figures,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Run ``calibrate refusal`` and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m eval calibrate refusal", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--questions", type=Path, default=GOLDEN_DIR, help="JSONL file or folder (default: data/golden)"
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N questions, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kb", default="", metavar="NAME", help="knowledge base (default: the desk's)")
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)")
    parser.add_argument("--run", default="", metavar="NAME", help="name of the run; an unfinished one is resumed")
    parser.add_argument("--dry-run", action="store_true", help="report, but leave the fit in use as it is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write fit and figures to FILE")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        changes = {"model": options.model, "knowledge_base": options.kb}
        settings = load_settings().changed(**{name: value for name, value in changes.items() if value})
        questions = drawn(load_questions(options.questions), options.limit, options.seed)
        pipeline = build_pipeline(settings)
        model = pipeline.start_model()
        run = options.run or f"reading-{model.replace(':', '-').replace('/', '-')}-{pipeline.generation}"
        with question_bar(console) as bar:
            task = bar.add_task(words("questions", terminal_language()), total=len(questions))
            path = settings.data_dir / "runs" / run / "readings.jsonl"
            judged = read_all(pipeline.read, questions, path, lambda: bar.advance(task))
        fitted, figures = fit(judged)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        console.print(words("interrupted", terminal_language(), run=run), markup=False, soft_wrap=True)
        return 130
    console.print_json(data={"model": model, "fit": asdict(fitted), "figures": figures})
    if options.json:
        options.json.write_text(json.dumps({"model": model, "fit": asdict(fitted), **figures}, indent=2) + "\n")
    if not options.dry_run:
        save(model, fitted, figures, options.questions)
    return 0
