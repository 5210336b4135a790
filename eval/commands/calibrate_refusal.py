"""``python -m eval calibrate refusal``: fits, on a knowledge base's own questions, when an answer is a refusal.

Every question is retrieved: Platt's two numbers and a threshold for the search come from that
(``search_calibration.py``).  With questions of both kinds the model is asked as well whether the answer is there
(``rag/generation/answerability.py``); nothing is generated.  What it said is kept question by question, so that an
interrupted run goes on.  All is judged on parts that were held out, and kept beside the knowledge base.
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

from eval.commands.question_options import (
    chosen_sets,
    chosen_settings,
    finish,
    only_set,
    question_parser,
    write_json,
)
from eval.core.knowledge import knowledge_name, open_parts
from eval.core.logistic import (
    FALSE_REFUSALS,
    auroc,
    calibration_error,
    fit_logistic,
    held_out_logits,
    probabilities_of,
    refused_when_held_out,
    threshold_at,
)
from eval.core.progress_bar import question_bar
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, keep_asking
from eval.core.words import words
from eval.refusal.search_calibration import calibrate_search, searched
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.generation.answerability import (
    ANSWERABILITY_PATH,
    AnswerabilityFit,
    AnswerabilitySample,
    answerability_features,
)
from rag.pipeline import Pipeline, PipelineParts
from rag.storage.calibration import read_calibration, save_calibration
from rag.terminal import terminal_language

EXAMPLES = """\
examples:
  python -m eval calibrate refusal                           on the sample questions, asked of the desk's knowledge base
  python -m eval calibrate refusal --kb shop --questions mine.jsonl
  python -m eval calibrate refusal --kb shop --questions mine.jsonl --search     the search alone, without a model
  python -m eval calibrate refusal --dry-run                 report, and change nothing
  python -m eval calibrate refusal --run monday              go on with a run that was interrupted
"""
QUOTE_PRECISION = 0.7
"""A quotation takes the place of a reply without support where at least this share of such questions has an answer."""

_FOLDS, _REPEATS = 5, 5
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Judged:
    """One question, whether it has an answer in the knowledge base, and what was read."""

    question_id: str
    answerable: bool
    reading: AnswerabilitySample


def read_all(
    read: Callable[[GoldenQuestion], AnswerabilitySample],
    questions: Sequence[GoldenQuestion],
    path: Path,
    progress: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Ask what ``path`` does not hold yet, one JSONL line a question, and return all."""

    def judge(question: GoldenQuestion) -> Judged:
        return Judged(question.question_id, question.answerable, read(question))

    items = [(question.question_id, question) for question in questions]
    return keep_asking(path, TypeAdapter(Judged), items, judge, lambda judged: judged.question_id, progress)


def fit(judged: Sequence[Judged]) -> tuple[AnswerabilityFit, dict[str, float]]:
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
    fitted = AnswerabilityFit(
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


def _features(reading: AnswerabilitySample) -> tuple[float, float, float]:
    return answerability_features(yes=reading.yes or 0.0, retrieval=reading.retrieval, language=reading.language)


def save(
    model: str, fitted: AnswerabilityFit, figures: dict[str, float], questions: str, path: Path = ANSWERABILITY_PATH
) -> None:
    """Write a model's fit, and on what and when it was made, beside those of other models."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["fits"][model] = asdict(fitted)
    content.setdefault("fitted", {})[model] = {
        "on": questions,
        "when": date.today().isoformat(),
        "how": "logistic regression, penalty 1 on the standardised features; the threshold leaves "
        f"{FALSE_REFUSALS:.0%} of the answerable questions refused; figures from held-out parts",
        "figures": figures,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "calibrate refusal",
        "Fit when a model's reading means a refusal, on questions with and without an answer.  校准拒答",
        EXAMPLES,
        sets=False,
    )
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)  模型名称")
    parser.add_argument("--search", action="store_true", help="calibrate the search alone; no model  只校准检索")
    parser.add_argument("--dry-run", action="store_true", help="report, but leave the fit in use as it is  只报告")
    parser.add_argument(
        "--shipped", action="store_true", help="keep the model's fit as every knowledge base's  作为默认"
    )
    return parser


def measure(one: QuestionSet, parts: PipelineParts, kept: Run, console: Console) -> list[Judged]:
    """Read what the run does not hold yet.  Raises ``SettingsError`` when it measured something else."""
    identity = {
        "command": "calibrate refusal",
        "set": one.name,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
        "model": parts.generator.model,
    }
    kept.begin(identity, one.questions)
    pipeline = Pipeline(parts)
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(words("questions", terminal_language()), total=len(one.questions))
        return read_all(
            lambda question: pipeline.judge_answerable(question.question, earlier=[question.previous]),
            one.questions,
            kept.folder / "records.jsonl",
            lambda judged: bar.advance(task),
        )


def main(argv: Sequence[str]) -> int:
    """Run ``calibrate refusal`` and return its exit code."""
    arguments = _parser().parse_args(argv)
    console = Console()

    def work(name: str) -> None:
        settings = chosen_settings(arguments)
        one = only_set(chosen_sets(arguments, sample=None)).drawn(arguments.limit, arguments.seed)
        parts = open_parts(one, settings)
        found, search_figures = calibrate_search(searched(one.questions, parts))
        figures: dict[str, object] = {"search": {"fit": asdict(found), **search_figures}}
        sections: dict[str, dict[str, object]] = {"search": asdict(found)}
        if not arguments.search:
            parts.ensure_server()
            model = parts.generator.model
            fitted, of_reader = fit(measure(one, parts, Run.named(name, settings), console))
            figures |= {"model": model, "fit": asdict(fitted), "figures": of_reader}
            if arguments.shipped and not arguments.dry_run:
                save(model, fitted, of_reader, one.name)
            readers = read_calibration(parts.store.folder).get("readers", {})
            sections["readers"] = {**readers, model: asdict(fitted)}
        console.print_json(data=figures)
        write_json(arguments.json, figures)
        if not (arguments.dry_run or arguments.shipped):
            made = {"on": one.name, "when": date.today().isoformat(), "generation": parts.store.require_generation()}
            path = save_calibration(parts.store.folder, {**sections, "made": made})
            console.print(words("calibrated", terminal_language(), path=path), markup=False, soft_wrap=True)

    return finish(arguments, console, work)
