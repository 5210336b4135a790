"""One tuning from beginning to end: examples, training, the models that are made, and what they are worth.

Every stage keeps its result in the run's folder, so that an interrupted run resumes:

    runs/NAME/training/examples.json  adapter, optimizer and state (``lora.py``)  adapter.gguf
    runs/NAME/made.json               the models that were made, by arm
    runs/NAME/ARM/SET/                the answers, as ``python -m eval desk`` keeps them
    runs/NAME/figures.json            what it found
"""

import importlib.util
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from eval.calibrate_model.sandbox_ollama import Subject, subject
from eval.core.progress import SILENT, Progress, question_counter
from eval.core.question_sets import draw_sample
from eval.core.runs import Run, knowledge_name
from eval.desk.figures import Outcome, outcomes_of
from eval.desk.measurement import DeskOptions, measure_desk, open_desk_parts
from eval.train.background import EXAMPLES_NAME, Job, read_examples, write_examples
from eval.train.chat import ChatStyle, ChatText, ModelTokenizer
from eval.train.examples import Example, ExampleMaker
from eval.train.findings import COMMAND, Arm, ArmName, Findings, arm_of, as_json, reasons_against, rise_in_right
from eval.train.lora import BEST, LoraOptions, TokenExample, TrainingState, read_parameters
from eval.train.questions import Split, TrainingCase, split_by_document
from eval.train.weights import low_rank_factors, require_architecture, training_memory_bytes
from rag.errors import ExtraMissing, ModelUnfit, OllamaRefused, SettingsError
from rag.generation.answerability import answerability_fit_of
from rag.ollama.client import OllamaClient
from rag.ollama.gguf import GgufHeader, read_header
from rag.ollama.model_creation import KINDS, OWN_KINDS, ModelMaker, Shown
from rag.ollama.model_details import UNQUANTIZED
from rag.ollama.model_files import ModelSource
from rag.ollama.models import find_installed, is_stand_in, load_options
from rag.ollama.reconstruct import merge_f16, reconstruct_f16, write_adapter
from rag.ollama.server import ensure_running
from rag.ollama.templates import ChatFormat
from rag.pipeline import Pipeline, PipelineParts
from rag.priority import usable_cores
from rag.protocols import Message
from rag.settings import Settings
from rag.terminal import Update, terminal_language
from rag.translate import translate

FEWEST_EXAMPLES = 20
"""With fewer examples a model learns them, and not how to answer."""

_TOKENS_A_SECOND = 97.0
_MEASURED_WEIGHTS = 0.63e9
"""One core of an EPYC with AVX512-BF16 trained 97 tokens a second of the 0.5B stand-in (prompts of 840 tokens)."""

_SECONDS_A_QUESTION = 8.0
"""What an answer of the 0.5B stand-in took on two cores."""

_PARAMETERS_OF_A_FORMAT = ("temperature", "top_p", "top_k", "min_p", "repeat_penalty")


@dataclass(frozen=True, slots=True)
class Source:
    """Questions and what they are asked of: a folder of documents, or, where it is None, the settings' base."""

    name: str
    documents: Path | None
    cases: tuple[TrainingCase, ...]


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """What is tuned and how: ``tuned`` is the new model's name, ``held_out`` a share in (0, 1) of the questions.

    Of each source's held-out questions ``measured`` are asked, 0: all.  ``adapter``: also make a model with the adapter
    beside the base, where the server can.
    """

    tuned: str
    held_out: float = 0.3
    measured: int = 0
    seed: int = 0
    adapter: bool = False
    lora: LoraOptions = field(default_factory=LoraOptions)


@dataclass(frozen=True, slots=True)
class _Set:
    """A source with its knowledge base open, and its cases dealt out."""

    source: Source
    parts: PipelineParts
    split: Split
    measured: tuple[TrainingCase, ...]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The training to come: how many examples, tokens of all epochs, and why cases gave none."""

    examples: int
    checks: int
    tokens: int
    questions: int
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tuning:
    """One run, ready to begin.  ``base`` is the model as Ollama has it."""

    options: TuningOptions
    settings: Settings
    base: Subject
    header: GgufHeader
    sets: tuple[_Set, ...]
    kept: Run

    @property
    def folder(self) -> Path:
        """The folder of the examples and the adapter."""
        return self.kept.folder / "training"

    @property
    def arms(self) -> tuple[ArmName, ...]:
        """The models that are measured."""
        control: tuple[ArmName, ...] = () if self.base.is_whole else ("requantized",)
        adapter: tuple[ArmName, ...] = ("adapter",) if self.options.adapter else ()
        return ("base", *control, *adapter, "merged")

    @property
    def job(self) -> Job:
        """The job for ``TrainingProcess``."""
        return Job(self.base.file, self.folder, self.options.lora)

    def prepare(self, progress: Progress = SILENT) -> TrainingPlan:
        """Make the examples, unless the run has them.  Raises ``SettingsError`` where they are too few."""
        left_out: Counter[str] = Counter()
        if not (self.folder / EXAMPLES_NAME).exists():
            training, checks = list[TokenExample](), list[TokenExample]()
            writer = _Writer.of(self.base, self.header)
            for one in self.sets:
                maker = ExampleMaker(Pipeline(one.parts), one.split.held_out, writer.closed_reply)
                report = question_counter(progress, one.source.name, len(one.split.training) + len(one.split.checks))
                for cases, tokens in ((one.split.training, training), (one.split.checks, checks)):
                    made = maker.make(cases, self.options.seed, report)
                    left_out.update(made.left_out)
                    tokens += map(writer.tokens, made.examples)
            write_examples(self.folder, training, checks)
        trained, looked_at = read_examples(self.folder)
        if len(trained) < FEWEST_EXAMPLES:
            raise _unusable("few", n=len(trained), least=FEWEST_EXAMPLES)
        tokens_an_epoch = sum(one.tokens for one in trained)
        questions = sum(len(one.measured) for one in self.sets)
        all_tokens = self.options.lora.epochs * tokens_an_epoch
        return TrainingPlan(len(trained), len(looked_at), all_tokens, questions, dict(left_out))

    def seconds(self, prepared: TrainingPlan) -> tuple[float, float]:
        """Estimate how long training takes, and measuring, in seconds."""
        size = sum(tensor.elements for tensor in self.header.tensors) / _MEASURED_WEIGHTS
        training = prepared.tokens * size / _TOKENS_A_SECOND / max(1, usable_cores() - 1)
        return training, prepared.questions * len(self.arms) * _SECONDS_A_QUESTION * size

    def require_memory(self) -> None:
        """Raise ``SettingsError`` where training needs more memory than is free."""
        needed, free = training_memory_bytes(self.header), psutil.virtual_memory().available
        if needed > free:
            raise _unusable("memory", needed=needed / 1e9, free=free / 1e9)

    def make_models(self, shown: Shown) -> dict[ArmName, str]:
        """Make the models that are measured, unless the run has made them; return their names by arm."""
        maker = ModelMaker(OllamaClient(self.settings.ollama_url), shown)
        made = made_models(self.kept)
        factors = low_rank_factors(self.header, read_parameters(self.folder / BEST))
        lora, base = self.options.lora, self.base

        def merge(file: Path, update: Update) -> None:
            merge_f16(base.file, file, factors, lora.alpha / lora.rank, base.name, update)

        def requantize(file: Path, update: Update) -> None:
            reconstruct_f16(base.file, file, update)

        for arm in self.arms:
            if arm in made:
                continue
            name = self._name_of(arm)
            if arm == "adapter":
                file = self.folder / "adapter.gguf"
                write_adapter(file, str(self.header.metadata["general.architecture"]), factors, lora.alpha)
                try:
                    maker.attach(base.name, file, name)
                except OllamaRefused:  # from 0.34.1 on Ollama makes none
                    continue
            elif arm != "base":
                self._make(maker, name, merge if arm == "merged" else requantize)
            made[arm] = name
            self._note(made)
        return made

    def measure(self, made: Mapping[ArmName, str], progress: Progress = SILENT) -> dict[ArmName, tuple[Outcome, ...]]:
        """Ask each model the held-out questions, greedily, and return the outcomes."""
        found: dict[ArmName, tuple[Outcome, ...]] = {}
        for arm in (one for one in self.arms if one in made):
            outcomes: list[Outcome] = []
            for one in self.sets:
                outcomes += self._ask_arm(arm, made[arm], one, progress)
            found[arm] = tuple(outcomes)
        return found

    def _ask_arm(self, arm: ArmName, model: str, one: _Set, progress: Progress) -> Sequence[Outcome]:
        cases = [training_case.case for training_case in one.measured]
        if not cases:
            return ()
        settings = self.settings.changed(model=model, temperature=0.0, quote_below_reply=False)
        parts = open_desk_parts(one.source.documents, settings, progress)
        # what differs is the weights: all refuse by the fit of the model that was tuned
        fit = answerability_fit_of(parts.store.folder, self.base.name)
        parts = replace(parts, reading_fit=lambda model: fit)
        kept = Run(self.kept.folder / arm / one.source.name)
        options = DeskOptions(think=False, trace_guards=False)
        name = f"{translate(f'eval_train.arm_{arm}', terminal_language())}: {one.source.name}"
        result = measure_desk(
            cases, one.source.name, parts, kept, options, replace(progress, questions=_step_reporter(progress, name))
        )
        return outcomes_of(result.cases, result.records)

    def findings(
        self,
        outcomes: Mapping[ArmName, Sequence[Outcome]],
        made: Mapping[ArmName, str],
        state: TrainingState,
        others: Mapping[str, Mapping[str, str]],
    ) -> Findings:
        """Count, decide, and save the figures."""
        tokenizer = ModelTokenizer.of(self.header)
        arms: dict[ArmName, Arm] = {
            name: arm_of(name, made[name], found, tokenizer.count) for name, found in outcomes.items()
        }
        difference, interval = rise_in_right(outcomes["base"], outcomes["merged"], self.options.seed)
        examples, _ = read_examples(self.folder)
        found = Findings(
            model=self.base.name,
            tuned=self.options.tuned,
            stand_in=is_stand_in(self.base.name),
            run=self.kept.folder.name,
            examples=len(examples),
            questions=len(outcomes["base"]),
            loss_before=state.checked[0][1] if state.checked else None,
            loss_after=state.best_loss,
            arms=tuple(arms.values()),
            difference=difference,
            interval=interval,
            reasons=reasons_against(arms["base"], arms["merged"], interval),
            others=others,
        )
        self.kept.save_figures(as_json(found))
        return found

    def tidy(self, found: Findings) -> None:
        """Delete the models that were made to be measured, and the tuned one unless it is kept."""
        client, made = OllamaClient(self.settings.ollama_url), made_models(self.kept)
        for arm in [arm for arm in made if arm != "base" and not (arm == "merged" and found.kept)]:
            if find_installed(client.models(), made[arm]) is not None:
                client.delete(made[arm])
            del made[arm]
            self._note(made)

    def _make(self, maker: ModelMaker, name: str, write: Callable[[Path, Update], None]) -> None:
        """Write an F16, and make a model of it that is quantized as the base is."""
        details = self.base.details
        stop = details.parameters.get("stop", [])
        parameters = {
            key: float(str(value)) for key, value in details.parameters.items() if key in _PARAMETERS_OF_A_FORMAT
        }
        chat = ChatFormat(
            "own", details.template, tuple(map(str, stop if isinstance(stop, list) else [stop])), parameters
        )
        file, kind = self.folder / "whole.gguf", merged_kind(details.quantization)
        whole = f"{name}-f16" if kind else name
        try:
            if find_installed(maker.client.models(), whole) is None:
                with maker.shown("writing", name) as update:
                    write(file, update)
                maker.import_files(ModelSource(file, {"model.gguf": file}, "F16", chat), whole)
        finally:
            file.unlink(missing_ok=True)
        if kind:
            maker.quantize(whole, kind, name)
            maker.client.delete(whole)  # and with it its file of two bytes a weight

    def _name_of(self, arm: ArmName) -> str:
        if arm == "base":
            return self.base.name
        return self.options.tuned if arm == "merged" else f"{self.options.tuned}-{arm}"

    def _note(self, made: Mapping[ArmName, str]) -> None:
        (self.kept.folder / _MADE).write_text(json.dumps(made), encoding="utf-8")


_MADE = "made.json"


def made_models(kept: Run) -> dict[ArmName, str]:
    """Return the models that a run has made, by arm."""
    try:
        found: dict[ArmName, str] = json.loads((kept.folder / _MADE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def merged_kind(quantization: str) -> str:
    """Return the kind to which a merged model is quantized: its base's, else eight bits; empty where that has none.

    >>> merged_kind("Q4_K_M"), merged_kind("F16"), merged_kind("Q5_K_M")
    ('q4_K_M', '', 'q8_0')
    """
    if quantization in UNQUANTIZED:
        return ""
    return next((kind for kind in (*KINDS, *OWN_KINDS) if kind.upper() == quantization.upper()), "q8_0")


def open_tuning(
    options: TuningOptions, settings: Settings, sources: Sequence[Source], kept: Run, progress: Progress = SILENT
) -> Tuning:
    """Look at the model, the questions and the documents; save the run's identity.

    Raises ``ExtraMissing``, ``ModelUnfit`` (architecture, chat format, tokenizer, a name that is taken),
    ``ModelMissing`` and ``OllamaUnavailable``, a ``KnowledgeError``, and ``SettingsError`` where nothing can be held
    out or the run of that name measured something else.
    """
    if importlib.util.find_spec("peft") is None:
        raise ExtraMissing(what="eval train", extra="train")
    ensure_running(settings)
    client = OllamaClient(settings.ollama_url)
    base = subject(client, settings.model)
    require_architecture(base.name, base.details.metadata)
    header = read_header(base.file)
    _Writer.of(base, header).require_same_text(client, settings)
    if "merged" not in made_models(kept):
        ModelMaker(client, _show_nothing).require_free(options.tuned, of=base.name)
    sets = []
    for source in sources:
        parts = open_desk_parts(source.documents, settings.changed(model=base.name), progress)
        split = split_by_document(source.cases, options.held_out, options.seed)
        measured = draw_sample(split.held_out, options.measured, options.seed)
        sets.append(_Set(source, parts, split, measured))
    identity: dict[str, object] = {
        "command": COMMAND,
        "model": base.name,
        "stand_in": is_stand_in(base.name),
        "tuned": options.tuned,
        "held_out": options.held_out,
        "measured": options.measured,
        "seed": options.seed,
        "adapter": options.adapter,
        "epochs": options.lora.epochs,
        "rank": options.lora.rank,
        "sets": [one.source.name for one in sets],
        "knowledge": [knowledge_name(one.parts.store.folder) for one in sets],
    }
    kept.begin(identity, [case.case for one in sets for case in one.source.cases])
    return Tuning(options, settings, base, header, tuple(sets), kept)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Turns examples into the tokens that Ollama feeds the model."""

    model: str
    style: ChatStyle
    tokenizer: ModelTokenizer
    closed_reply: tuple[Message, ...]

    @classmethod
    def of(cls, base: Subject, header: GgufHeader) -> "_Writer":
        # as rag/generation/ollama_generator.py asks a stand-in: its template's empty thought is left out
        closed = (Message("assistant", ""),) if is_stand_in(base.name) else ()
        return cls(base.name, ChatStyle.of(base.name, base.details.template), ModelTokenizer.of(header), closed)

    def require_same_text(self, client: OllamaClient, settings: Settings) -> None:
        """Raise ``ModelUnfit`` where Ollama would feed the model another text than it is trained on."""
        asked = (Message("system", "S"), Message("user", "Q"), *self.closed_reply)
        messages = [{"role": one.role, "content": one.content} for one in asked]
        fed = client.render(self.model, messages, load_options(settings))
        if fed and fed != self.style.prompt(asked):
            raise ModelUnfit(model=self.model, reason="train_format")

    def tokens(self, example: Example) -> TokenExample:
        text = ChatText(self.style.prompt(example.messages), example.reply, self.style.end)
        prompt, reply = self.tokenizer.training(text)
        return TokenExample(tuple(prompt), tuple(reply))


def _show_nothing(key: str, what: str) -> AbstractContextManager[Update]:
    """Show nothing."""
    return nullcontext(lambda done, total: None)


def _step_reporter(progress: Progress, name: str) -> Callable[[str, int, int], None]:
    return lambda _, done, total: progress.questions(name, done, total)


def _unusable(key: str, **values: object) -> SettingsError:
    return SettingsError(reason=translate(f"eval_train.{key}", terminal_language(), **values))
