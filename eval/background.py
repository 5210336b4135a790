"""An evaluation of a knowledge base on its own questions, in a process of its own: a page can watch it and stop it.

    with EvaluationProcess(settings) as process:
        process.measure(Evaluation("retrieval", "2026-11-25-101500"), progress=print)

The questions are the regression questions that the knowledge base keeps.  The run is saved question by question where
the command keeps records: ``resume_command`` returns the command that resumes one that was stopped.  The process is
``eval/background_process.py``; the desk imports this module, and so without the libraries of the indexes.
"""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import TypeAdapter

from eval.core.question_sets import QuestionSet, stored_questions
from eval.core.runs import Run
from ingest.worker_process import WorkerProcess
from rag.errors import NoRegressionQuestions, SettingsError
from rag.settings import Settings

EvaluationKind = Literal["answers", "retrieval", "refusal", "citations"]
KINDS: tuple[EvaluationKind, ...] = get_args(EvaluationKind)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluation to run: its kind, its run's name, and how many questions (0: all), the same ones each time."""

    kind: EvaluationKind
    run: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """The questions asked so far, and their total."""

    done: int
    total: int


EVALUATIONS = TypeAdapter(Evaluation)


PROGRESSES = TypeAdapter(EvaluationProgress)


def chosen_questions(settings: Settings, evaluation: Evaluation) -> QuestionSet:
    """Return the knowledge base's own questions that this evaluation can use.

    Raises ``KnowledgeBaseMissing``, and ``NoRegressionQuestions`` where there is none.
    """
    name = settings.knowledge_base
    kept = QuestionSet(name, None, stored_questions(settings))
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
    return usable.draw_sample(evaluation.limit, seed=0)


def resume_command(run: Run, settings: Settings) -> str:
    """Return the command that resumes an unfinished run on a knowledge base's own questions.

    Empty for one of other questions, which only its own command names, and for citations, of which nothing is kept
    before the end.  Raises ``SettingsError`` for a damaged run.
    """
    identity = run.identity()
    kind, base = identity.get("command"), identity.get("knowledge")
    if kind not in ("answers", "retrieval", "refusal") or not base or identity.get("set") != base:
        return ""
    words = ["python", "-m", "eval", kind, "--kb", str(base), *_own_options(identity)]
    model = identity.get("model")
    if model and model != settings.model:
        words += ["--model", str(model)]
    return shlex.join([*words, "--limit", str(len(run.questions())), "--run", run.folder.name])


def _own_options(identity: Mapping[str, object]) -> Iterator[str]:
    """Yield the options without which the command would measure something else than the page."""
    arms = identity.get("arms")
    if isinstance(arms, list):
        yield from ("--arms", ",".join(map(str, arms)))
    if (context := identity.get("context")) not in (None, "own"):
        yield from ("--context", str(context))
    if (think := identity.get("think")) is not None:
        yield "--think" if think else "--no-think"
    if identity.get("by") == "reader":
        yield "--reader"


class EvaluationProcess(WorkerProcess):
    """One process for one evaluation."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("eval.background_process", settings)

    def measure(self, evaluation: Evaluation, progress: Callable[[EvaluationProgress], None]) -> None:
        """Measure, and save the run; ``progress`` is called in this thread.

        Raises what ends a run (no model server, no embedder, no question), and ``IngestStopped`` where it was stopped.
        """
        self.run(
            EVALUATIONS.dump_python(evaluation, mode="json"), lambda value: progress(PROGRESSES.validate_python(value))
        )
