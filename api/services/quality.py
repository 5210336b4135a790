"""What the Quality page calls, for a lead or an admin and one knowledge base; every call checks rights again.

``QualityRegistry`` is shared by all pages.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from api.services.guarded import GuardedService
from api.services.jobs import Job, JobControl, Jobs
from api.services.knowledge import PipelineOf, real_pipeline
from eval.background import Evaluation, EvaluationKind, EvaluationProcess, chosen_questions, resume_command
from eval.compare.pairs import Compared, Comparison, compare_runs, side_by_side
from eval.compare.report_page import run_plots
from eval.core.runs import Run, new_run_name
from eval.gaps.report import GapParts, GapReport, find_gaps
from rag.errors import CalibrationDamaged, NoRegressionQuestions, SettingsError
from rag.protocols import Embedder
from rag.reuse.curated import Curation
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import User
from rag.storage.calibration import ExpectedRefusals
from rag.storage.curated import CuratedAnswer, CuratedEvent, CuratedState
from rag.storage.troubled_turns import TroubledTurns
from rag.storage.turn_store import Grouping, OutcomeCounts, TurnFeedback
from rag.turns import PersonalCorrections

Read = TypeVar("Read")

RunEvaluation = Callable[[Settings, Evaluation, JobControl], None]
CorrectionsOf = Callable[[Callable[[], User]], PersonalCorrections]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run on disk.  ``figure`` is its main one, None while it is not finished; ``began_at`` is in local time.

    ``n`` counts its questions, and ``asked`` those of an unfinished one that are done.
    """

    name: str
    kind: str
    began_at: datetime
    n: int
    figure: float | None
    model: str
    stand_in: bool
    generation: int
    question_set: str = ""
    asked: int = 0

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
        control.on_stop(process.stop)
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
        return runs_of_base(self.settings, name, MAIN_FIGURES, _run_info)

    def gap_parts(self, name: str, user: User) -> GapParts:
        """Return the parts of a knowledge-gap report."""
        parts = real_pipeline(self.pipeline(name, user)).parts
        turns = TroubledTurns(self.settings.turns_database)
        return GapParts(parts.store, turns, self.embedder(), parts.retriever, self.curation(name))


def runs_of_base(
    settings: Settings,
    base: str,
    commands: Collection[str],
    read: Callable[[Run, Mapping[str, object], datetime], Read],
) -> list[Read]:
    """Read the runs of these ``commands`` on a knowledge base, the newest first; damaged ones are left out.

    ``read`` takes a run, its identity and when it began, in local time.
    """
    found = []
    for identity_file in (settings.data_dir / "runs").glob("*/run.json"):
        run = Run(identity_file.parent)
        began_at = datetime.fromtimestamp(identity_file.stat().st_mtime).astimezone()
        try:
            identity = run.identity()
            if identity.get("knowledge") == base and identity.get("command") in commands:
                found.append((began_at, run.folder.name, read(run, identity, began_at)))
        except SettingsError:
            continue
    return [one for *_, one in sorted(found, key=lambda one: one[:2], reverse=True)]


def count_questions(settings: Settings, kind: EvaluationKind) -> int:
    """Count the questions of its own that a knowledge base has for this kind of evaluation; 0 without any."""
    try:
        return len(chosen_questions(settings, Evaluation(kind, "")).questions)
    except NoRegressionQuestions:
        return 0


def _run_info(run: Run, identity: Mapping[str, object], began_at: datetime) -> RunInfo:
    kind = str(identity["command"])
    figures = run.figures() if (run.folder / "figures.json").is_file() else {}
    main = figures.get(MAIN_FIGURES[kind])
    generation = identity.get("generation")
    number = partial(_number, figures)
    return RunInfo(
        name=run.folder.name,
        kind=kind,
        began_at=began_at,
        n=int(number("n") or 0) if figures else _count_lines(run.folder / "questions.jsonl"),
        figure=float(main) if isinstance(main, int | float) else (0.0 if figures else None),
        model=str(identity.get("model") or ""),
        stand_in=bool(identity.get("stand_in")),
        generation=generation if isinstance(generation, int) else 0,
        question_set=str(identity.get("set") or ""),
        asked=0 if figures else _count_lines(run.folder / "records.jsonl") // _arms(identity),
    )


def _count_lines(path: Path) -> int:
    """Count the whole lines of a file; 0 where it is not there yet."""
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def _arms(identity: Mapping[str, object]) -> int:
    """Return the number of records that a question has: one for each way of answering it."""
    arms = identity.get("arms")
    return max(1, len(arms)) if isinstance(arms, list) else 1


def _number(figures: dict[str, object], name: str) -> float | None:
    found = figures.get(name)
    return float(found) if isinstance(found, int | float) else None


class QualityService(GuardedService[QualityRegistry]):
    """One knowledge base's quality.  Every method raises ``AccessDenied`` or ``NotPermitted`` where ``who`` may not."""

    # runs

    def runs(self) -> list[RunInfo]:
        """Return the runs on this knowledge base, the newest first."""
        self._permitted("lead")
        return self.registry.runs(self.name)

    def expected_refusals(self) -> ExpectedRefusals | None:
        """Return the search's expected refusals by self-calibration; None without one."""
        self._permitted("lead")
        try:
            return ExpectedRefusals.of(self._settings.knowledge_dir)
        except CalibrationDamaged:  # questions are refused by what was shipped, and the desk's check tells why
            return None

    def questions(self, kind: EvaluationKind) -> int:
        """Count the questions of its own that the knowledge base has for this kind; 0 without any."""
        self._permitted("lead")
        return count_questions(self._settings, kind)

    def start(self, kind: EvaluationKind, limit: int) -> Job:
        """Begin an evaluation; the job's result is the run's name.  Raises ``IngestRunning`` while one runs."""
        user = self._permitted("lead")
        evaluation = Evaluation(kind, new_run_name(self.registry.settings), limit)

        def work(control: JobControl) -> str:
            self.registry.run(self._settings, evaluation, control)
            return evaluation.run

        return self.registry.jobs.start(self._job_slot("evaluation"), kind, work, user.name)

    def evaluation(self) -> Job | None:
        """Return the last evaluation that was begun here."""
        self._permitted("lead")
        return self.registry.jobs.latest(self._job_slot("evaluation"))

    def stop(self) -> None:
        """Stop the evaluation; what was asked so far is kept."""
        self._permitted("lead")
        self.registry.jobs.stop(self._job_slot("evaluation"))

    def resume_command(self, name: str) -> str:
        """Return the command that resumes an unfinished run; empty where there is none.  Raises ``SettingsError``."""
        self._permitted("lead")
        return resume_command(self._run(name), self.registry.settings)

    def plots(self, run: RunInfo, language: Language) -> str:
        """Return a finished run's plots as HTML, every word of it escaped.  Raises ``SettingsError``."""
        self._permitted("lead")
        return run_plots(self._run(run.name), language)

    # comparing

    def compare(self, first: str, second: str) -> list[Comparison]:
        """Return the measures that two runs share, the main one first.  Raises ``SettingsError``."""
        self._permitted("lead")
        self._run(first), self._run(second)
        return list(compare_runs(first, second, self._settings).measures)

    def side_by_side(self, first: str, second: str) -> tuple[Compared, ...]:
        """Return the questions that both runs have, lost ones first.  Raises ``SettingsError``."""
        self._permitted("lead")
        return side_by_side(self._run(first), self._run(second))

    # corrections

    def corrections(self, state: CuratedState | None = None) -> list[CuratedAnswer]:
        """Return the answers that persons wrote, the newest first."""
        return self._corrections().list(self.name, state)

    def history(self, number: int) -> Sequence[CuratedEvent]:
        """Return an answer's history."""
        return self._corrections().history(self.name, number)

    def doubtful_sentences(self, answer: str) -> tuple[str, ...]:
        """Return the sentences with a link, a mail address or a number to call that no document has."""
        return self._corrections().doubtful_sentences(self.name, answer)

    def successor(self, number: int) -> CuratedAnswer | None:
        """Return the serving answer that took a retired one's place, if any.  Raises ``CuratedMissing``."""
        return self._corrections().successor(self.name, number)

    def accept(self, number: int, *, brings_back: bool = True) -> None:
        """Let an answer serve; with ``brings_back``, one that another has replaced, too.

        Raises ``CuratedMissing``, ``CuratedUnusable`` where its document is gone, and ``CuratedReplaced``.
        """
        self._corrections().approve(self.name, number, brings_back=brings_back)

    def reject(self, number: int, reason: str = "") -> None:
        """Let an answer serve no more, or never.  Raises ``CuratedMissing``."""
        self._corrections().retire(self.name, number, reason.strip())

    def edit(self, number: int, question: str, answer: str, language: Language) -> CuratedAnswer:
        """Let an answer serve in other words, or as one of another language.

        Raises ``CuratedMissing``, ``CuratedUnusable``, and ``CuratedReplaced`` where somebody changed it meanwhile.
        """
        return self._corrections().edit(self.name, number, question, answer, language)

    # gaps and outcomes

    def find_gaps(self, days: int) -> Job:
        """Begin to look for what is missing in the questions of the last days; the job's result is a ``GapReport``."""
        user = self._permitted("lead")
        since = datetime.now(UTC) - timedelta(days=days)

        def work(control: JobControl) -> GapReport:
            parts = self.registry.gap_parts(self.name, user)
            return find_gaps(parts, self.name, since, lambda done, total: control.tell((done, total)))

        return self.registry.jobs.start(self._job_slot("gaps"), "gaps", work, user.name)

    def gaps(self) -> Job | None:
        """Return the last search for gaps, running or done."""
        self._permitted("lead")
        return self.registry.jobs.latest(self._job_slot("gaps"))

    def outcomes(self, grouping: Grouping, days: int) -> Sequence[OutcomeCounts]:
        """Return the outcomes of answers by topic or team, in the order of their names: no ranking."""
        self._permitted("lead")
        since = datetime.now(UTC) - timedelta(days=days)
        found = self.registry.feedback.counts_by(grouping, since=since, knowledge_base=self.name)
        return sorted(found, key=lambda one: one.name)

    def _corrections(self) -> PersonalCorrections:
        self._permitted("lead")
        return self.registry.corrections(self._who)

    def _job_slot(self, what: str) -> str:
        return f"{what} {self.name}"

    def _run(self, name: str) -> Run:
        """Return a run on this knowledge base: another one's is none of its readers' business."""
        if name not in {one.name for one in self.registry.runs(self.name)}:
            raise SettingsError(reason=name)
        return Run.named(name, self._settings)
