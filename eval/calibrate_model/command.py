"""``python -m eval calibrate model``: the quantization, slots and context that serve a team best on this machine.

Each combination is run by an Ollama of its own, asked the team's own questions with every slot busy, and scored as
``python -m eval answers`` scores.  What the team's Ollama serves meanwhile is left alone.
"""

import argparse
import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter
from rich.console import Console

from eval.answers.command import add_answer_options
from eval.answers.runner import RECORDS, Record
from eval.calibrate_model.agents import Target
from eval.calibrate_model.asking import Asking
from eval.calibrate_model.configurations import Configuration, Served, configurations
from eval.calibrate_model.report import Findings, as_json, page, remarks, table
from eval.calibrate_model.results import rows_of, winner
from eval.calibrate_model.words import words
from eval.calibrate_model.workshop import AS_IS, Subject, Workshop, bring_home, made_name, subject
from eval.knowledge import knowledge_folder, knowledge_name
from eval.question_options import chosen_sets, chosen_settings, finish, only_set, question_parser, write_json
from eval.question_sets import QuestionSet
from eval.runs import Run, read_records
from eval.tables import question_bar
from rag.answering.reader import reading_fit_of
from rag.errors import AnswerdeskError
from rag.factory import build_parts
from rag.pipeline import PipelineParts
from rag.protocols import Embedder
from rag.retrieval.embedder import open_embedder
from rag.serving.client import OllamaClient
from rag.serving.making import KINDS, known_kind
from rag.serving.model_commands import choices_for
from rag.serving.models import find_installed, is_stand_in
from rag.serving.rates import keep_rates, measure_rates
from rag.serving.server import ensure_running
from rag.serving.size_command import shape_of_installed
from rag.settings import KEPT_NAME, Settings, keep_choices
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language

EXAMPLES = """\
examples:
  python -m eval calibrate model                              the desk's model as it is: how many slots?
  python -m eval calibrate model --model r1:7b-f16 --kb shop --questions mine.jsonl --minutes 90
  python -m eval calibrate model --reconstruct --quantizations q8_0,q4_K_M --slots 1,2 --contexts 4096
  python -m eval calibrate model --target-seconds 5 --pause-seconds 120 --limit 50
  python -m eval calibrate model --run monday --minutes 30    go on with a run that was interrupted, or out of time
  python -m eval calibrate model --run monday --yes           choose its winner without being asked
"""
_SERVED = TypeAdapter(Served)
_TABLE_COLUMNS = 130  # narrower, figures would be cut to nothing


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "calibrate model",
        "Try quantizations, slots and contexts on this machine with your own questions, and choose.  选择模型配置",
        EXAMPLES,
        sets=False,
    )
    add_answer_options(parser)
    parser.set_defaults(limit=24)
    kinds = f"of {','.join((*KINDS, AS_IS))}; default: the first three of an F16, else {AS_IS}  量化方式"
    parser.add_argument("--quantizations", type=_kinds, default=(), metavar="LIST", help=kinds)
    parser.add_argument("--slots", type=_numbers, default=(1, 2), metavar="LIST", help="answers at once  并发数")
    parser.add_argument("--contexts", type=_numbers, default=(4096,), metavar="LIST", help="tokens  上下文长度")
    parser.add_argument("--reconstruct", action="store_true", help="an F16 of a quantized model  由量化模型还原 F16")
    parser.add_argument("--minutes", type=_positive, default=60.0, help="stop after so long (60)  时间上限")
    parser.add_argument("--target-seconds", type=_positive, default=10.0, help="of a whole answer (10)  目标时间")
    parser.add_argument("--pause-seconds", type=_positive, default=60.0, help="between an agent's questions (60)  间隔")
    parser.add_argument("--yes", action="store_true", help="choose the winner without asking  直接采用结果")
    return parser


def _kinds(text: str) -> tuple[str, ...]:
    try:
        return tuple(one if one == AS_IS else known_kind(one, "--quantizations") for one in text.split(","))
    except AnswerdeskError as error:
        raise argparse.ArgumentTypeError(error.text(terminal_language())) from error


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(one) for one in text.split(","))
    if not all(number > 0 for number in numbers):
        raise argparse.ArgumentTypeError(text)
    return numbers


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(text)
    return number


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
                asking = Asking(self._parts(own), one.slots, self.arguments.think, until, lambda: bar.advance(task))
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
        fit = reading_fit_of(self.store.folder, self.subject.name)
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
        one, settings = best.configuration, self.workshop.settings
        if one.kind != AS_IS and find_installed(home.models(), one.model) is None:
            self._prepare((one.kind,), math.inf)
            bring_home(self.workshop, self.subject, one.model, home)
        choices = choices_for(one.model, home.show(one.model), settings)
        numbers = {"parallel_slots": one.slots, "context_tokens": one.context_tokens}
        variables = keep_choices(settings, {**choices, **numbers})
        path = settings.data_dir / KEPT_NAME
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


def _opened(arguments: argparse.Namespace, name: str, console: Console, deadline: float) -> Calibration:
    settings = chosen_settings(arguments)
    one = only_set(chosen_sets(arguments, sample=None)).drawn(arguments.limit, arguments.seed)
    ensure_running(settings)
    of_desk = subject(OllamaClient(settings.ollama_url), settings.model)
    embedder = open_embedder(settings)
    kept = Run.named(name, settings)
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
    )


def main(argv: Sequence[str]) -> int:
    """Run ``calibrate model`` and return its exit code."""
    arguments = _parser().parse_args(argv)
    deadline = time.monotonic() + arguments.minutes * 60
    console = Console()
    language = terminal_language()

    def work(name: str) -> None:
        run = _opened(arguments, name, console, deadline)
        run.begin()
        measured, whole = run.measure()
        findings = run.findings(measured, whole=whole)
        Console(width=max(console.width, _TABLE_COLUMNS)).print(table(findings, language))
        for remark in remarks(findings, language):
            console.print(remark, markup=False, highlight=False, soft_wrap=True)
        path = run.kept.folder / "report.html"
        path.write_text(page(findings, language), encoding="utf-8")
        console.print(words("report", language, path=path), markup=False, soft_wrap=True)
        write_json(arguments.json, as_json(findings))
        run.choose(findings, OllamaClient(run.workshop.settings.ollama_url))
        if whole:
            shutil.rmtree(run.workshop.folder, ignore_errors=True)

    return finish(arguments, console, work)
