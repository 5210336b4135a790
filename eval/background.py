"""An evaluation of a knowledge base on its own questions, in a process of its own: a page can watch it and stop it.

    with EvaluationProcess(settings) as process:
        process.measure(Evaluation("retrieval", "2026-11-25-101500"), progress=print)

The questions are the regression questions that the knowledge base keeps.  The run is saved question by question where
the command keeps records: ``python -m eval COMMAND --kb NAME --run RUN`` resumes one that was stopped.  The process is
``python -m eval.background``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from eval.answers.measurement import measure_answers
from eval.citations.benchmark import measure_citations
from eval.core.knowledge import open_parts
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet, kept_questions
from eval.core.runs import Run, knowledge_name
from eval.refusal.benchmark import measure_refusal
from eval.retrieval.benchmark import measure_retrieval
from ingest.worker_process import Tell, WorkerProcess, serve_parent
from rag.errors import NoRegressionQuestions, SettingsError
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

EvaluationKind = Literal["answers", "retrieval", "refusal", "citations"]
KINDS: tuple[EvaluationKind, ...] = get_args(EvaluationKind)

_SEED = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation to run: its kind, its run's name, and how many questions (0: all), the same ones each time."""

    kind: EvaluationKind
    run: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """How many questions of how many have been asked."""

    done: int
    total: int


EVALUATIONS = TypeAdapter(Evaluation)


PROGRESSES = TypeAdapter(EvaluationProgress)


def chosen_questions(settings: Settings, evaluation: Evaluation) -> QuestionSet:
    """Return the knowledge base's own questions that this evaluation can use.

    Raises ``KnowledgeBaseMissing``, and ``NoRegressionQuestions`` where there is none.
    """
    name = settings.knowledge_base
    kept = QuestionSet(name, None, kept_questions(settings))
    try:
        usable = {
            "answers": kept.answerable,
            "retrieval": kept.with_relevant,
            "refusal": lambda: kept,
            "citations": kept.with_relevant,
        }[evaluation.kind]()
    except SettingsError as error:
        raise NoRegressionQuestions(name=name) from error
    if not usable.questions:
        raise NoRegressionQuestions(name=name)
    return usable.drawn(evaluation.limit, seed=0)


class EvaluationProcess(WorkerProcess):
    """One process for one evaluation."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("eval.background", settings)

    def measure(self, evaluation: Evaluation, progress: Callable[[EvaluationProgress], None]) -> None:
        """Measure, and save the run; ``progress`` is called in this thread.

        Raises what ends a run (no model server, no embedder, no question), and ``IngestStopped`` where it was stopped.
        """
        self.run(
            EVALUATIONS.dump_python(evaluation, mode="json"), lambda value: progress(PROGRESSES.validate_python(value))
        )


def work(settings: Settings, given: Any, tell: Tell) -> None:  # noqa: ANN401 - JSON
    """Measure what the request names."""

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
