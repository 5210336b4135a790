"""One run: each configuration is served by an Ollama of its own, asked with every slot busy, scored, and kept."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter
from rich.console import Console

from eval.answers.runner import RECORDS, Record
from eval.calibrate_model.capacity_simulation import Target
from eval.calibrate_model.configurations import Configuration, Served, configurations
from eval.calibrate_model.measurement import Asking
from eval.calibrate_model.report import Findings, as_json, page
from eval.calibrate_model.results import rows_of, winner
from eval.calibrate_model.sandbox_ollama import AS_IS, Subject, Workshop, made_name, subject
from eval.calibrate_model.selection import choose
from eval.calibrate_model.words import words
from eval.core.knowledge import knowledge_folder, knowledge_name
from eval.core.progress_bar import question_bar
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, read_records
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
from rag.settings import KEPT_NAME, Settings
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language

_SERVED = TypeAdapter(Served)

Told = Callable[[Configuration, int, int], None]
"""Hears how many of how many questions were asked of a configuration."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """One run: what is asked, of which model, where the answers are kept, and until when."""

    arguments: argparse.Namespace
    one: QuestionSet
    subject: Subject
    store: KnowledgeStore
    embedder: Embedder
    kept: Run
    workshop: Workshop
    console: Console
    deadline: float
    told: Told = lambda one, done, total: None

    @property
    def count(self) -> int:
        """How many configurations are tried."""
        return len(self.kinds) * len(self.arguments.slots) * len(self.arguments.contexts)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The quantizations to try."""
        given: tuple[str, ...] = self.arguments.quantizations
        return given or (KINDS if self.subject.is_whole or self.arguments.reconstruct else (AS_IS,))

    def begin(self) -> None:
        """Save what is measured.  Raises ``SettingsError`` when the run of that name measured something else."""
        arguments = self.arguments
        identity = {
            "command": "calibrate model",
            "set": self.one.name,
            "knowledge": knowledge_name(self.store.folder),
            "generation": self.store.require_generation(),
            "model": self.subject.name,
            "stand_in": is_stand_in(self.subject.name),
            "think": arguments.think,
            "quantizations": list(self.kinds),
            "slots": list(arguments.slots),
            "contexts": list(arguments.contexts),
        }
        self.kept.begin(identity, self.one.questions)

    def measure(self) -> tuple[dict[Configuration, tuple[Served, Sequence[Record]]], bool]:
        """Try each configuration for its share of the time; tell whether all were asked everything."""
        names = {kind: made_name(self.subject, kind) for kind in self.kinds}
        tried = configurations(names, self.arguments.slots, self.arguments.contexts)
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
        reconstruct = bool(self.arguments.reconstruct)
        return self.workshop.prepare(self.subject, kinds, deadline, reconstruct=reconstruct)

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
            label = words("trying", self.workshop.language, kind=one.kind, slots=one.slots, context=one.context_tokens)
            with question_bar(self.console, disable=not self.console.is_terminal) as bar:
                task = bar.add_task(label, total=len(self.one.questions))

                def asked() -> None:
                    bar.advance(task)
                    self.told(one, int(bar.tasks[0].completed), len(self.one.questions))

                asking = Asking(self._parts(own), one.slots, self.arguments.think, until, asked)
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
        return replace(parts, reading_fit=lambda model: fit, ensure_server=lambda: None)

    def findings(self, measured: dict[Configuration, tuple[Served, Sequence[Record]]], *, whole: bool) -> Findings:
        """Score what was measured, and save the figures."""
        target = Target(self.arguments.target_seconds, pause_seconds=self.arguments.pause_seconds)
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

    def choose(self, findings: Findings, home: OllamaClient) -> None:
        """Write the winner to the settings, after asking."""
        best = findings.best
        if best is None or not self._agreed(findings):
            return
        one, reconstruct = best.configuration, bool(self.arguments.reconstruct)
        variables = choose(one, self.subject, self.workshop, home, reconstruct=reconstruct)
        path = self.workshop.settings.data_dir / KEPT_NAME
        self._say("applied", name=one.model, slots=one.slots, context=one.context_tokens, path=path)
        if variables:
            self._say("goes_before", variables=", ".join(variables))

    def _agreed(self, findings: Findings) -> bool:
        if self.arguments.yes:
            return True
        if sys.stdin.isatty():
            answer = input(words("ask", self.workshop.language))
            if answer.strip().lower() in {"y", "yes", "是"}:
                return True
        self._say("not_applied", run=findings.run)
        return False

    def _say(self, key: str, **values: object) -> None:
        self.console.print(words(key, self.workshop.language, **values), markup=False, soft_wrap=True)


def opened(
    arguments: argparse.Namespace,
    settings: Settings,
    one: QuestionSet,
    kept: Run,
    console: Console,
    deadline: float,
    told: Told = lambda one, done, total: None,
) -> Calibration:
    """Make ready to ask a set's questions until the ``deadline`` (monotonic); ``arguments`` are the command's.

    Raises a ``ServingError``, ``KnowledgeError`` or ``EmbedderMissing``.
    """
    ensure_running(settings)
    of_desk = subject(OllamaClient(settings.ollama_url), settings.model)
    embedder = open_embedder(settings)
    return Calibration(
        arguments=arguments,
        one=one,
        subject=of_desk,
        store=KnowledgeStore(knowledge_folder(one, settings, embedder)),
        embedder=embedder,
        kept=kept,
        workshop=Workshop(kept.folder / "workshop", settings, terminal_language()),
        console=console,
        deadline=deadline,
        told=told,
    )


def measure_and_save(run: Calibration) -> Findings:
    """Try what is to be tried, and save figures and page."""
    run.begin()
    measured, whole = run.measure()
    findings = run.findings(measured, whole=whole)
    shown = page(findings, run.workshop.language)
    (run.kept.folder / "report.html").write_text(shown, encoding="utf-8")
    return findings
