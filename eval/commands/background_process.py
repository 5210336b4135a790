"""Runs one evaluation for ``eval.core.background``, in a process that may be lost."""

import argparse
from typing import Any

from eval.commands import answers, citations, refusal, retrieval
from eval.core.background import EVALUATIONS, PROGRESSES, Evaluation, EvaluationProgress, chosen_questions
from eval.core.knowledge import knowledge_name, open_parts
from eval.core.progress_bar import WatchedConsole
from eval.core.runs import Run
from ingest.child import Tell, serve_owner
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

_SEED = 0


def work(settings: Settings, given: Any, tell: Tell) -> None:  # noqa: ANN401 - JSON
    """Measure what is asked."""

    def told(done: int, total: int) -> None:
        tell(PROGRESSES.dump_python(EvaluationProgress(done, total), mode="json"))

    measure(EVALUATIONS.validate_python(given), settings, WatchedConsole(told))


def measure(evaluation: Evaluation, settings: Settings, console: WatchedConsole) -> None:
    """Measure, and save the run with its figures.  Raises as the commands do."""
    one = chosen_questions(settings, evaluation)
    console.tell(0, len(one.questions))  # the embedder and the model take their time
    kept = Run.named(evaluation.run, settings)
    match evaluation.kind:
        case "answers":
            options = argparse.Namespace(think=None, context="own", arms=("own",))
            answers.measure(one, open_parts(one, settings), kept, options, console)
        case "retrieval":
            retrieval.measure([one], settings, open_embedder(settings), kept, console)
        case "refusal":
            refusal.measure(one, open_parts(one, settings), kept, "retrieval", console)
        case "citations":
            generation = KnowledgeStore(settings.knowledge_dir).require_generation()
            identity = {"command": "citations", "set": one.name, "knowledge": knowledge_name(settings.knowledge_dir)}
            kept.begin(identity | {"generation": generation, "seed": _SEED}, one.questions)
            kept.save_figures(citations.measure([one], settings, _SEED, console))


if __name__ == "__main__":
    serve_owner(work)
