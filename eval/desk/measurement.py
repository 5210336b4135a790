"""Measure a desk: ask a file of cases, save every record, and count where right answers are lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.core.conditions import answer_conditions, refusal_conditions
from eval.core.knowledge import knowledge_of
from eval.core.progress import SILENT, Progress, question_counter
from eval.core.runs import Run, keep_asking, knowledge_name
from eval.desk.asking import ARMS, RECORDS, Arm, Desk, Record, ask_model_alone
from eval.desk.cases import DeskCase
from eval.desk.figures import outcomes_of, summarise
from eval.desk.languages import language_figures
from rag.errors import SourceMissing
from rag.factory import build_parts
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

_ABOUT_THE_FOLDER = ("readme", "license", "licence", "notice", "copying")


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """How cases are asked.

    ``think`` is None where the product decides for each question.  ``trace_guards`` asks the model again where a guard
    decided before it wrote, or it thought; ``ceiling`` asks the model alone with the same evidence.  ``langchain`` is
    LangChain's tutorial, where it is to be asked as well.
    """

    with_model: bool = True
    think: bool | None = None
    trace_guards: bool = True
    ceiling: bool = False
    langchain: Callable[[DeskCase], Record] | None = None

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms, in the order in which a case is asked."""
        chosen: dict[Arm, bool] = {"own": True, "ceiling": self.ceiling, "langchain": self.langchain is not None}
        return tuple(arm for arm in ARMS if chosen[arm])


@dataclass(frozen=True, slots=True)
class DeskResult:
    """The figures of a run, with the cases and their records."""

    summary: dict[str, object]
    cases: tuple[DeskCase, ...]
    records: tuple[Record, ...]


def open_desk_parts(
    documents: Path | None, settings: Settings, progress: Progress = SILENT, embedder: Embedder | None = None
) -> PipelineParts:
    """Return the parts that answer from a folder of documents, or from the settings' knowledge base where it is None.

    The folder is ingested once, without ``files_about``.  ``embedder`` is the settings' where it is None.  Raises
    ``SourceMissing``, a ``KnowledgeError``, or ``EmbedderMissing``.
    """
    if documents is None:
        KnowledgeStore(settings.knowledge_dir).require_generation()  # told before the embedder is loaded
    elif not documents.exists():
        raise SourceMissing(path=documents)
    embedder = embedder or open_embedder(settings)
    own = settings
    if documents is not None:
        own = knowledge_of(documents, settings, embedder, progress, frozenset(files_about(documents)))
    return build_parts(settings, KnowledgeStore(own.knowledge_dir), embedder=embedder)


def files_about(documents: Path) -> list[Path]:
    """Return the files about the folder itself, not for customers: its README and licence."""
    if not documents.is_dir():
        return []
    return sorted(
        one.resolve() for one in documents.iterdir() if one.is_file() and one.name.lower().startswith(_ABOUT_THE_FOLDER)
    )


def measure_desk(
    cases: Sequence[DeskCase],
    name: str,
    parts: PipelineParts,
    kept: Run,
    options: DeskOptions = DeskOptions(),
    progress: Progress = SILENT,
) -> DeskResult:
    """Ask what the run does not hold yet, save every record, and count.  ``name`` is that of the file of cases.

    Raises ``SettingsError`` when the run of that name measured something else, and what ends a whole run.
    """
    conditions = answer_conditions if options.with_model else refusal_conditions
    identity: dict[str, object] = {
        "command": "desk",
        "set": name,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
        "with_model": options.with_model,
        "think": options.think,
        "trace_guards": options.trace_guards,
        "arms": list(options.arms),
        "settings": conditions(parts.settings, parts.store.folder),
    }
    if options.with_model:
        model = parts.gateway.start()
        identity |= {"model": model, "stand_in": parts.gateway.generator.stand_in}
    kept.begin(identity, cases)
    items = [
        ((arm, case.case_id), (arm, case))
        for case in cases
        for arm in options.arms
        if arm != "ceiling" or case.has_facts  # without facts there is nothing that the model alone could say rightly
    ]
    desk = Desk(Pipeline(parts), options.with_model, options.think, options.trace_guards)
    own: dict[str, Record] = {}
    report = question_counter(progress, name, len(items))

    def ask(item: tuple[Arm, DeskCase]) -> Record:
        arm, case = item
        if arm == "ceiling":
            return ask_model_alone(case, own[case.case_id], parts)
        if arm == "langchain" and options.langchain is not None:
            return options.langchain(case)
        return desk.ask(case)

    def advance(record: Record) -> None:
        if record.arm == "own":
            own[record.case_id] = record
        report(record)

    records = keep_asking(
        kept.folder / "records.jsonl", RECORDS, items, ask, lambda record: (record.arm, record.case_id), advance
    )
    summary = summarise(cases, records)
    if options.with_model:
        summary["languages"] = language_figures(outcomes_of(cases, records))
    kept.save_figures(summary)
    return DeskResult(summary, tuple(cases), tuple(records))
