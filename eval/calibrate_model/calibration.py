"""One run: each configuration is served by an Ollama of its own, asked with every slot busy, scored, and kept.

Each record is saved as it comes, until all questions are asked or the time is up.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from eval.answers.asking import RECORDS, Instruments, MeteredGenerator, Record, WatchedRetriever, ask
from eval.calibrate_model.report import Findings, page
from eval.calibrate_model.results import (
    LEAST_GAIN,
    ROUNDS,
    Configuration,
    Pace,
    ServingFigures,
    Target,
    Trial,
    compare_paces,
    configurations,
    judge_trial,
    knob_variants,
    rows_of,
    winner,
)
from eval.calibrate_model.sandbox_ollama import AS_IS, Subject, Workshop, choose, name_of_kind, subject
from eval.core.knowledge import knowledge_folder
from eval.core.progress import SILENT, Progress
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, knowledge_name, read_records
from ingest.golden import GoldenQuestion
from rag.cli.model_size import shape_of_installed
from rag.errors import AnswerCancelled, AnswerdeskError
from rag.factory import build_parts
from rag.generation.answerability import answerability_fit_of
from rag.ollama.advice import measure_rates, serving_of, store_rates, time_once
from rag.ollama.client import OllamaClient
from rag.ollama.hardware import Machine
from rag.ollama.install import has_amx
from rag.ollama.model_creation import KINDS, OWN_KINDS
from rag.ollama.models import is_stand_in, load_options
from rag.ollama.server import ensure_running
from rag.ollama.sizing import memory_of, requantized
from rag.pipeline import Pipeline, PipelineParts
from rag.priority import usable_cores
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.schema import Event
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language

_SERVING_FIGURES = TypeAdapter(ServingFigures)
_PACES = TypeAdapter(list[tuple[Pace, Pace]])

ReportConfiguration = Callable[[Configuration, int, int], None]
"""Takes a configuration, the questions asked of it (0: it begins), and the questions in all."""

_LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """The configurations to try: each quantization with each number of slots and each context length (tokens).

    Without ``quantizations`` those are all kinds that an F16 model can be made into (Q4_0 on a CPU with AMX), or any
    model where ``reconstruct`` allows an F16 of it, else the model as it is.  From the best of them on the ``knobs``
    are turned.  An answer should take ``target_seconds``, and an agent pauses ``pause_seconds`` between two questions.
    ``think`` is None where the product decides for each question.
    """

    quantizations: tuple[str, ...] = ()
    slots: tuple[int, ...] = (1, 2)
    contexts: tuple[int, ...] = (4096,)
    reconstruct: bool = False
    knobs: tuple[str, ...] = ()
    target_seconds: float = 10.0
    pause_seconds: float = 60.0
    think: bool | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """One run: the questions, the model, where the answers are kept, and until when."""

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
        made = (*KINDS, *(OWN_KINDS if has_amx() else ()))  # without AMX, Q4_0 is no quicker than Q4_K_M
        return self.options.quantizations or (made if self.subject.is_whole or self.options.reconstruct else (AS_IS,))

    def begin(self) -> None:
        """Save the run's identity.  Raises ``SettingsError`` when the run of that name measured something else."""
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
            **({"knobs": list(self.options.knobs)} if self.options.knobs else {}),
        }
        self.kept.begin(identity, self.one.questions)

    def measure(self) -> tuple[dict[Configuration, tuple[ServingFigures, Sequence[Record]]], bool]:
        """Try each configuration for its share of the time; return whether all were asked everything."""
        names = {kind: name_of_kind(self.subject, kind) for kind in self.kinds}
        tried = configurations(names, self.options.slots, self.options.contexts)
        count = len(self.one.questions)
        if any(len(self._records(one)) < count for one in tried):
            names = self._prepare(self.kinds, self.deadline)
        found: dict[Configuration, tuple[ServingFigures, Sequence[Record]]] = {}
        for number, one in enumerate(tried):
            seconds = (self.deadline - time.monotonic()) / (len(tried) - number + len(self.options.knobs))
            result = self._try_for(one, seconds if one.kind in names else 0.0)
            if result is not None:
                found[one] = result
        return found, len(found) == len(tried) and all(len(records) == count for _, records in found.values())

    @property
    def _target(self) -> Target:
        return Target(self.options.target_seconds, pause_seconds=self.options.pause_seconds)

    def _prepare(self, kinds: tuple[str, ...], deadline: float) -> dict[str, str]:
        return self.workshop.prepare(self.subject, kinds, deadline, reconstruct=self.options.reconstruct)

    def try_knobs(self, first: Configuration, records: Sequence[Record]) -> tuple[tuple[Trial, ...], bool]:
        """Try each knob on the best configuration so far; return whether the time sufficed for all.

        ``records`` are the first one's.  Nothing is tried where two such servers do not fit into memory.
        """
        answer_tokens = sum(record.tokens.generated for record in records) / max(1, len(records))
        best, trials = first, list[Trial]()
        for knob in self.options.knobs if self._fits_two_servers(first) else ():
            for tuning in knob_variants(knob, best.tuning, usable_cores()):
                trial = self._trial(knob, best, replace(best, tuning=tuning), answer_tokens)
                if trial is None:
                    return tuple(trials), False
                trials.append(trial)
                best = trial.configuration if trial.kept else best
        return tuple(trials), True

    def _trial(self, knob: str, other: Configuration, own: Configuration, answer_tokens: float) -> Trial | None:
        """Try one configuration beside another.  None: out of time."""
        paced = self._measure_paces(other, own)
        trial = None if paced is None else compare_paces(knob, own, paced, answer_tokens)
        if trial is None or trial.gain < LEAST_GAIN:
            return trial
        asked = [self._try_for(one, self.deadline - time.monotonic(), greedy=True) for one in (other, own)]
        found = [one for one in asked if one is not None and len(one[1]) == len(self.one.questions)]
        if len(found) < len(asked):
            return None
        (_, others), (served, records) = found
        (row,) = rows_of({own: (served, records)}, self.one.questions, self._target)
        return judge_trial(trial, row, self.one.questions, records, others)

    def _measure_paces(self, other: Configuration, own: Configuration) -> list[tuple[Pace, Pace]] | None:
        """Time both in turn, or read earlier measurements.  None: out of time."""
        path = self.kept.folder / f"pace-{own.key}-beside-{other.key}.json"
        if path.exists():
            return _PACES.validate_json(path.read_bytes())
        if time.monotonic() >= self.deadline:
            return None
        rounds: list[tuple[Pace, Pace]] = []
        with ExitStack() as held:
            servers = [held.enter_context(self._server(one)) for one in (other, own)]
            for number in range(ROUNDS + 1):
                in_turn = [*zip((other, own), servers, strict=True)][:: -1 if number % 2 else 1]
                paces = {
                    one: time_once(OllamaClient(server.ollama_url), one.model, load_options(server), number)
                    for one, server in in_turn
                }
                before, after = paces[other], paces[own]
                if number and before is not None and after is not None:  # the first one warms up
                    rounds.append((before, after))
                self.report(own, number, ROUNDS)
        path.write_bytes(_PACES.dump_json(rounds))
        return rounds

    def _fits_two_servers(self, one: Configuration) -> bool:
        """Tell whether this machine's memory holds two servers of a configuration."""
        shape = shape_of_installed(OllamaClient(self.workshop.settings.ollama_url), self.subject.name)
        shape = shape if one.kind == AS_IS else requantized(shape, one.kind)
        serving = serving_of(Machine.here(), one.context_tokens, one.slots, {})
        return 2 * memory_of(shape, serving).total_bytes <= Machine.here().budget_bytes

    def _server(self, one: Configuration) -> AbstractContextManager[Settings]:
        return self.workshop.server(one.slots, one.context_tokens, one.model, one.tuning)

    def _records(self, one: Configuration) -> list[Record]:
        return read_records(self.kept.folder / f"records-{one.key}.jsonl", RECORDS)

    def _try_for(
        self, one: Configuration, seconds: float, *, greedy: bool = False
    ) -> tuple[ServingFigures, Sequence[Record]] | None:
        """Try one for ``seconds``; questions asked before are not asked again.  None: out of time.

        ``greedy``: the model always writes the likeliest word, so that answers can be compared one by one.
        """
        name = f"greedy-{one.key}" if greedy else one.key
        records_path = self.kept.folder / f"records-{name}.jsonl"
        served_path = self.kept.folder / f"served-{name}.json"
        records = read_records(records_path, RECORDS)
        served = _SERVING_FIGURES.validate_json(served_path.read_bytes()) if served_path.exists() else None
        if served is not None and (len(records) == len(self.one.questions) or seconds <= 0):
            return served, records
        if seconds <= 0:
            return None
        until = time.monotonic() + seconds
        with self._server(one) as own:
            client = OllamaClient(own.ollama_url)
            weights = shape_of_installed(client, one.model).weights_bytes
            rates = measure_rates(client, one.model, weights, options=load_options(own))
            store_rates(self.workshop.settings, one.model, rates)
            self.report(one, 0, len(self.one.questions))
            numbers = itertools.count(1)

            def report_one() -> None:
                self.report(one, next(numbers), len(self.one.questions))

            asked_with = own.changed(temperature=0.0) if greedy else own
            asking = Asking(self._parts(asked_with), one.slots, self.options.think, until, report_one)
            records, asked_for = asking.ask_all(self.one.questions, records_path)
            memory = next((model.memory_bytes for model in client.loaded() if model.name == one.model), 0)
        earlier = served.asking_seconds if served else 0.0
        served = ServingFigures(memory, rates.prompt, rates.generation, round(earlier + asked_for, 3))
        served_path.write_bytes(_SERVING_FIGURES.dump_json(served))
        return served, records

    def _parts(self, own: Settings) -> PipelineParts:
        """Return the product's parts over the calibration's server.

        A model that was made here reads as its source: its refusal threshold is that one's, so that
        only the weights differ.  A server that died is not restarted: the run ends, and can be resumed.
        """
        parts = build_parts(own, self.store, embedder=self.embedder)
        fit = answerability_fit_of(self.store.folder, self.subject.name)
        gateway = replace(parts.gateway, ensure_server=lambda: None)
        return replace(parts, reading_fit=lambda model: fit, gateway=gateway)

    def findings(
        self, measured: dict[Configuration, tuple[ServingFigures, Sequence[Record]]], *, whole: bool
    ) -> Findings:
        """Score the configurations, turn the knobs from the best one on, and save the figures."""
        rows = rows_of(measured, self.one.questions, self._target)
        best, trials = winner(rows), tuple[Trial, ...]()
        if best is not None and whole:
            trials, whole = self.try_knobs(best.configuration, measured[best.configuration][1])
        kept = [trial.row for trial in trials if trial.kept]
        details = self.subject.details
        reconstructed = details.reconstructed_from
        if not reconstructed and not self.subject.is_whole and any(kind != AS_IS for kind in self.kinds):
            reconstructed = details.quantization
        found = Findings(
            model=self.subject.name,
            stand_in=is_stand_in(self.subject.name),
            reconstructed_from=reconstructed,
            rows=tuple(rows),
            best=kept[-1] if kept else best,
            target=self._target,
            whole=whole,
            run=self.kept.folder.name,
            trials=trials,
        )
        self.kept.save_figures(asdict(found))
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
    """Try all configurations, and save figures and page."""
    run.begin()
    measured, whole = run.measure()
    findings = run.findings(measured, whole=whole)
    shown = page(findings, run.workshop.language)
    (run.kept.folder / "report.html").write_text(shown, encoding="utf-8")
    return findings


@dataclass(slots=True)
class Asking:
    """Asks through the product's own pipeline, ``slots`` questions at once.

    ``deadline`` is on the monotonic clock; an answer that has begun may end.
    """

    parts: PipelineParts
    slots: int
    think: bool | None
    deadline: float
    progress: Callable[[], None]

    def ask_all(self, questions: Sequence[GoldenQuestion], path: Path) -> tuple[list[Record], float]:
        """Ask the questions that ``path`` does not hold yet; return all records, and the seconds spent asking.

        At Ctrl-C the running answers are cancelled, and finished ones are kept.  Raises what ends a whole run.
        """
        done = read_records(path, RECORDS)
        asked = {record.question_id for record in done}
        work = _Work([question for question in questions if question.question_id not in asked], path, self.progress)
        for _ in done:
            self.progress()
        started_at = time.monotonic()
        threads = [threading.Thread(target=self._work, args=(work,), daemon=True) for _ in range(self.slots)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(_LOOK_EVERY_SECONDS)
        finally:
            work.cancelled.set()
            for thread in threads:
                thread.join()
        if work.failures:
            raise work.failures[0]
        records = {record.question_id: record for record in [*done, *work.records]}
        ordered = [records[question.question_id] for question in questions if question.question_id in records]
        return ordered, time.monotonic() - started_at if work.records else 0.0

    def _work(self, work: "_Work") -> None:
        meter, retriever = MeteredGenerator(self.parts.gateway.generator), WatchedRetriever(self.parts.retriever)
        instruments = Instruments(meter, retriever, self.parts.count_tokens)
        parts = replace(
            self.parts,
            settings=self.parts.settings.changed(quote_below_reply=False),  # models are told apart by what they write
            gateway=self.parts.gateway.with_generator(meter),
            retriever=retriever,
        )
        pipeline = Pipeline(parts)

        def asks(question: GoldenQuestion, *, think: bool | None) -> Iterator[Event]:
            earlier = [question.previous]
            return pipeline.stream(question.question, earlier=earlier, think=think, cancelled=work.cancelled)

        with suppress(AnswerCancelled):
            while (question := work.next(self.deadline)) is not None:
                try:
                    work.keep(ask(asks, question, think=self.think, instruments=instruments))
                except AnswerCancelled:
                    raise
                except AnswerdeskError as error:
                    work.failures.append(error)
                    work.cancelled.set()


class _Work:
    """The questions that are left, and the file of records; shared by the asking threads."""

    def __init__(self, questions: Sequence[GoldenQuestion], path: Path, progress: Callable[[], None]) -> None:
        self.records: list[Record] = []
        self.failures: list[AnswerdeskError] = []
        self.cancelled = threading.Event()
        self._left = list(reversed(questions))
        self._path = path
        self._progress = progress
        self._lock = threading.Lock()
        self._begun = 0

    def next(self, deadline: float) -> GoldenQuestion | None:
        """Return the next question; None if none is left, or no time.  The first one is always asked."""
        with self._lock:
            late = self._begun and time.monotonic() >= deadline
            if self.cancelled.is_set() or late or not self._left:
                return None
            self._begun += 1
            return self._left.pop()

    def keep(self, record: Record) -> None:
        """Save a record."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(RECORDS.dump_json(record).decode() + "\n")
            self.records.append(record)
            self._progress()
