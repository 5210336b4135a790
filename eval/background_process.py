"""The process of an evaluation (``eval/background.py``): takes a request from its parent and reports its progress."""

from collections.abc import Callable
from typing import Any

from eval.answers.measurement import measure_answers
from eval.background import EVALUATIONS, PROGRESSES, Evaluation, EvaluationProgress, chosen_questions
from eval.citations.benchmark import measure_citations
from eval.core.knowledge import open_parts
from eval.core.progress import Progress
from eval.core.runs import Run, knowledge_name
from eval.refusal.benchmark import measure_refusal
from eval.retrieval.benchmark import measure_retrieval
from ingest.worker_process import Tell, serve_parent
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

_SEED = 0


def work(settings: Settings, given: Any, tell: Tell) -> None:  # noqa: ANN401 - JSON
    """Run the requested measurement."""

    def report(done: int, total: int) -> None:
        tell(PROGRESSES.dump_python(EvaluationProgress(done, total), mode="json"))

    measure(EVALUATIONS.validate_python(given), settings, report)


def measure(evaluation: Evaluation, settings: Settings, report: Callable[[int, int], None]) -> None:
    """Measure, and save the run with its figures.  Raises as the commands do.

    ``report`` takes the questions done and the questions in all.
    """
    one = chosen_questions(settings, evaluation)
    report(0, len(one.questions))  # the embedder and the model take their time

    def advance(name: str, done: int, total: int) -> None:
        if done:  # the beginning was reported above
            report(done, total)

    progress = Progress(advance)
    kept = Run.named(evaluation.run, settings)
    match evaluation.kind:
        case "answers":
            measure_answers(one, open_parts(one, settings), kept, progress=progress)
        case "retrieval":
            measure_retrieval([one], settings, open_embedder(settings), kept, progress)
        case "refusal":
            measure_refusal(one, open_parts(one, settings), kept, progress=progress)
        case "citations":
            generation = KnowledgeStore(settings.knowledge_dir).require_generation()
            identity = {"command": "citations", "set": one.name, "knowledge": knowledge_name(settings.knowledge_dir)}
            kept.begin(identity | {"generation": generation, "seed": _SEED}, one.questions)
            kept.save_figures(measure_citations([one], settings, _SEED, progress))


if __name__ == "__main__":
    serve_parent(work)
