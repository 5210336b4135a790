"""What the Quality page works with, as the program shares it; pages get a ``QualityDesk`` over one knowledge base."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from eval.core.background import Evaluation, EvaluationProcess
from eval.core.runs import Run, new_run_name
from eval.gaps.report import GapParts
from rag.errors import SettingsError
from rag.protocols import Embedder
from rag.reuse.curated import Curation
from rag.settings import Settings
from rag.storage.access import User
from rag.storage.feedback import TurnFeedback
from rag.storage.troubled_turns import TroubledTurns
from rag.turns import AnswerPipeline, PersonalCorrections
from ui.services.jobs import JobControl, Jobs
from ui.services.knowledge_registry import real_pipeline

RunEvaluation = Callable[[Settings, Evaluation, JobControl], None]
PipelineOf = Callable[[str, User], AnswerPipeline]
CorrectionsOf = Callable[[Callable[[], User]], PersonalCorrections]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run on disk.  ``figure`` is its main one, None while it is not finished; ``began_at`` is in local time."""

    name: str
    kind: str
    began_at: datetime
    n: int
    figure: float | None
    model: str
    stand_in: bool
    generation: int

    @property
    def finished(self) -> bool:
        """Whether it has figures."""
        return self.figure is not None


MAIN_FIGURES = {
    "answers": "accuracy",
    "retrieval": "recall_at_1",
    "refusal": "refused_unanswerable",
    "citations": "citation_recall",
}
"""The figure that stands in the list of runs, by kind."""


def run_in_process(settings: Settings, evaluation: Evaluation, control: JobControl) -> None:
    """Measure in a process of its own."""
    with EvaluationProcess(settings) as process:
        control.when_stopped(process.stop)
        process.measure(evaluation, control.tell)


@dataclass(frozen=True, slots=True)
class QualityRegistry:
    """Runs, answers and turns of all knowledge bases.  ``curation`` and ``pipeline`` are by a base's name."""

    settings: Settings
    jobs: Jobs
    pipeline: PipelineOf
    embedder: Callable[[], Embedder]
    curation: Callable[[str], Curation]
    feedback: TurnFeedback
    corrections: CorrectionsOf
    run: RunEvaluation = run_in_process

    def runs(self, name: str) -> list[RunInfo]:
        """Return the runs on a knowledge base, the newest first; damaged ones are left out."""
        found = []
        for identity_file in (self.settings.data_dir / "runs").glob("*/run.json"):
            run = Run(identity_file.parent)
            try:
                identity = run.identity()
                if identity.get("knowledge") == name and identity.get("command") in MAIN_FIGURES:
                    found.append(_run_info(run, identity))
            except SettingsError:
                continue
        return sorted(found, key=lambda one: (one.began_at, one.name), reverse=True)

    def new_run_name(self) -> str:
        """Return a name that no run has: the time of day."""
        return new_run_name(self.settings)

    def gap_parts(self, name: str, user: User) -> GapParts:
        """Return what a knowledge-gap report is made from."""
        parts = real_pipeline(self.pipeline(name, user)).parts
        turns = TroubledTurns(self.settings.turns_path)
        return GapParts(parts.store, turns, self.embedder(), parts.retriever, self.curation(name))


def _run_info(run: Run, identity: dict[str, object]) -> RunInfo:
    kind = str(identity["command"])
    figures = run.figures() if (run.folder / "figures.json").is_file() else {}
    main = figures.get(MAIN_FIGURES[kind])
    generation = identity.get("generation")
    number = partial(_number, figures)
    return RunInfo(
        name=run.folder.name,
        kind=kind,
        began_at=datetime.fromtimestamp((run.folder / "run.json").stat().st_mtime).astimezone(),
        n=int(number("n") or 0),
        figure=float(main) if isinstance(main, int | float) else (0.0 if figures else None),
        model=str(identity.get("model") or ""),
        stand_in=bool(identity.get("stand_in")),
        generation=generation if isinstance(generation, int) else 0,
    )


def _number(figures: dict[str, object], name: str) -> float | None:
    found = figures.get(name)
    return float(found) if isinstance(found, int | float) else None
