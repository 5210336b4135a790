"""One run: each configuration is served by an Ollama of its own, asked with every slot busy, scored, and kept."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from eval.answers.runner import RECORDS, Record
from eval.calibrate_model.capacity_simulation import Target
from eval.calibrate_model.configurations import Configuration, Served, configurations
from eval.calibrate_model.measurement import Asking
from eval.calibrate_model.report import Findings, as_json, page
from eval.calibrate_model.results import rows_of, winner
from eval.calibrate_model.sandbox_ollama import AS_IS, Subject, Workshop, made_name, subject
from eval.calibrate_model.selection import choose
from eval.core.knowledge import knowledge_folder
from eval.core.progress import SILENT, Progress
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, knowledge_name, read_records
from rag.cli.model_size import shape_of_installed
from rag.factory import build_parts
from rag.generation.answerability import answerability_fit_of
from rag.ollama.client import OllamaClient
from rag.ollama.model_creation import KINDS
from rag.ollama.models import is_stand_in
from rag.ollama.rates import keep_rates, measure_rates
from rag.ollama.server import ensure_running
from rag.pipeline import PipelineParts
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language

_SERVED = TypeAdapter(Served)

ReportConfiguration = Callable[[Configuration, int, int], None]
"""Takes a configuration, the questions asked of it (0: it begins), and the questions in all."""


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """What is tried: each quantization with each number of slots and each context length (tokens).

    Without ``quantizations`` those are the first three kinds of an F16 model, or of any model where ``reconstruct``
    allows to make an F16 of it, else the model as it is.  An answer should take ``target_seconds``, and an agent pauses
    ``pause_seconds`` between two questions.  ``think`` is None where the product decides for each question.
    """

    quantizations: tuple[str, ...] = ()
    slots: tuple[int, ...] = (1, 2)
    contexts: tuple[int, ...] = (4096,)
    reconstruct: bool = False
    target_seconds: float = 10.0
    pause_seconds: float = 60.0
    think: bool | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """One run: what is asked, of which model, where the answers are kept, and until when."""

    options: CalibrationOptions
    one: QuestionSet
    subject: Subject
    store: KnowledgeStore
    embedder: Embedder
    kept: Run
    workshop: Workshop
    deadline: float
    report: ReportConfiguration = lambda one, done, total: None

    @property
    def count(self) -> int:
        """How many configurations are tried."""
        return len(self.kinds) * len(self.options.slots) * len(self.options.contexts)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The quantizations to try."""
        return self.options.quantizations or (KINDS if self.subject.is_whole or self.options.reconstruct else (AS_IS,))

    def begin(self) -> None:
        """Save what is measured.  Raises ``SettingsError`` when the run of that name measured something else."""
        identity = {
            "command": "calibrate model",
            "set": self.one.name,
            "knowledge": knowledge_name(self.store.folder),
            "generation": self.store.require_generation(),
            "model": self.subject.name,
            "stand_in": is_stand_in(self.subject.name),
            "think": self.options.think,
            "quantizations": list(self.kinds),
            "slots": list(self.options.slots),
            "contexts": list(self.options.contexts),
        }
        self.kept.begin(identity, self.one.questions)

    def measure(self) -> tuple[dict[Configuration, tuple[Served, Sequence[Record]]], bool]:
        """Try each configuration for its share of the time; tell whether all were asked everything."""
        names = {kind: made_name(self.subject, kind) for kind in self.kinds}
        tried = configurations(names, self.options.slots, self.options.contexts)
        count = len(self.one.questions)
        if any(len(self._records(one)) < count for one in tried):
            names = self._prepare(self.kinds, self.deadline)
        found: dict[Configuration, tuple[Served, Sequence[Record]]] = {}
        for number, one in enumerate(tried):
            seconds = (self.deadline - time.monotonic()) / (len(tried) - number)
            result = self._tried(one, seconds if one.kind in names else 0.0)
            if result is not None:
                found[one] = result
        return found, len(found) == len(tried) and all(len(records) == count for _, records in found.values())

    def _prepare(self, kinds: tuple[str, ...], deadline: float) -> dict[str, str]:
        return self.workshop.prepare(self.subject, kinds, deadline, reconstruct=self.options.reconstruct)

    def _records(self, one: Configuration) -> list[Record]:
        return read_records(self.kept.folder / f"records-{one.key}.jsonl", RECORDS)

    def _tried(self, one: Configuration, seconds: float) -> tuple[Served, Sequence[Record]] | None:
        """Try one for so long; what was asked before is not asked again.  None: there was no time at all."""
        records_path = self.kept.folder / f"records-{one.key}.jsonl"
        served_path = self.kept.folder / f"served-{one.key}.json"
        records = self._records(one)
        served = _SERVED.validate_json(served_path.read_bytes()) if served_path.exists() else None
        if served is not None and (len(records) == len(self.one.questions) or seconds <= 0):
            return served, records
        if seconds <= 0:
            return None
        until = time.monotonic() + seconds
        with self.workshop.server(one.slots, one.context_tokens, one.model) as own:
            client = OllamaClient(own.ollama_url)
            weights = shape_of_installed(client, one.model).weights_bytes
            rates = measure_rates(client, one.model, weights, context_tokens=one.context_tokens)
            keep_rates(self.workshop.settings, one.model, rates)
            self.report(one, 0, len(self.one.questions))
            numbers = itertools.count(1)

            def report_one() -> None:
                self.report(one, next(numbers), len(self.one.questions))

            asking = Asking(self._parts(own), one.slots, self.options.think, until, report_one)
            records, asked_for = asking.ask_all(self.one.questions, records_path)
            memory = next((model.memory_bytes for model in client.loaded() if model.name == one.model), 0)
        earlier = served.asking_seconds if served else 0.0
        served = Served(memory, rates.prompt, rates.generation, round(earlier + asked_for, 3))
        served_path.write_bytes(_SERVED.dump_json(served))
        return served, records

    def _parts(self, own: Settings) -> PipelineParts:
        """Return the product's parts over the calibration's server.

        A model that was made here reads as the one it was made of: its threshold for refusing is that one's, so that
        what differs is the weights.  A server that died is not started anew: the run ends, and can be gone on with.
        """
        parts = build_parts(own, self.store, embedder=self.embedder)
        fit = answerability_fit_of(self.store.folder, self.subject.name)
        gateway = replace(parts.gateway, ensure_server=lambda: None)
        return replace(parts, reading_fit=lambda model: fit, gateway=gateway)

    def findings(self, measured: dict[Configuration, tuple[Served, Sequence[Record]]], *, whole: bool) -> Findings:
        """Score what was measured, and save the figures."""
        target = Target(self.options.target_seconds, pause_seconds=self.options.pause_seconds)
        rows = rows_of(measured, self.one.questions, target)
        details = self.subject.details
        reconstructed = details.reconstructed_from
        if not reconstructed and not self.subject.is_whole and any(kind != AS_IS for kind in self.kinds):
            reconstructed = details.quantization
        found = Findings(
            model=self.subject.name,
            stand_in=is_stand_in(self.subject.name),
            reconstructed_from=reconstructed,
            rows=tuple(rows),
            best=winner(rows),
            target=target,
            whole=whole,
            run=self.kept.folder.name,
        )
        self.kept.save_figures(as_json(found))
        return found

    def use_winner(self, configuration: Configuration, home: OllamaClient) -> list[str]:
        """Write the winner to the settings; return the environment variables that override it."""
        reconstruct = self.options.reconstruct
        return choose(configuration, self.subject, self.workshop, home, reconstruct=reconstruct)


def open_calibration(
    options: CalibrationOptions,
    settings: Settings,
    one: QuestionSet,
    kept: Run,
    deadline: float,
    progress: Progress = SILENT,
) -> Calibration:
    """Prepare to ask a set's questions until the ``deadline`` (monotonic seconds); only an ingest is reported.

    Raises a ``ServingError``, ``KnowledgeError`` or ``EmbedderMissing``.
    """
    ensure_running(settings)
    of_desk = subject(OllamaClient(settings.ollama_url), settings.model)
    embedder = open_embedder(settings)
    return Calibration(
        options=options,
        one=one,
        subject=of_desk,
        store=KnowledgeStore(knowledge_folder(one, settings, embedder, progress)),
        embedder=embedder,
        kept=kept,
        workshop=Workshop(kept.folder / "workshop", settings, terminal_language()),
        deadline=deadline,
    )


def measure_and_save(run: Calibration) -> Findings:
    """Try what is to be tried, and save figures and page."""
    run.begin()
    measured, whole = run.measure()
    findings = run.findings(measured, whole=whole)
    shown = page(findings, run.workshop.language)
    (run.kept.folder / "report.html").write_text(shown, encoding="utf-8")
    return findings
