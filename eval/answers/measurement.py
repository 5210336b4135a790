"""Measure answers: ask a question set, save every answer, and score all of them."""

from dataclasses import dataclass, replace

from eval.answers.asking import Arm, Context, Instruments, MeteredGenerator, Record, WatchedRetriever, arm, run
from eval.answers.scores import summarise
from eval.core.conditions import answer_conditions
from eval.core.progress import SILENT, Progress, question_counter
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, knowledge_name
from rag.pipeline import PipelineParts


@dataclass(frozen=True, slots=True)
class AnswersOptions:
    """How questions are asked.

    ``think`` is None where the product decides for each question; ``arms`` are the conditions to compare, and
    ``context`` says what the product's own arm sends to the model.
    """

    think: bool | None = None
    context: Context = "own"
    arms: tuple[Arm, ...] = ("own",)


@dataclass(frozen=True, slots=True)
class AnswersResult:
    """The figures of a run, with the questions and one record for each question and arm."""

    summary: dict[str, object]
    questions: QuestionSet
    records: tuple[Record, ...]


def measure_answers(
    questions: QuestionSet,
    parts: PipelineParts,
    kept: Run,
    options: AnswersOptions = AnswersOptions(),
    progress: Progress = SILENT,
) -> AnswersResult:
    """Ask what the run does not hold yet, save every answer, and score all.

    Raises ``SettingsError`` when the run of that name measured something else, and what ends a whole run.
    """
    parts.gateway.ensure_server()
    instruments = Instruments(
        MeteredGenerator(parts.gateway.generator), WatchedRetriever(parts.retriever), parts.count_tokens
    )
    watched = replace(parts, gateway=parts.gateway.with_generator(instruments.meter), retriever=instruments.retriever)
    identity = {
        "command": "answers",
        "set": questions.name,
        "knowledge": knowledge_name(parts.store.folder),
        "generation": parts.store.require_generation(),
        "model": parts.gateway.generator.model,
        "stand_in": parts.gateway.generator.stand_in,
        "think": options.think,
        "context": options.context,
        "arms": list(options.arms),
        "settings": answer_conditions(parts.settings, parts.store.folder),
    }
    kept.begin(identity, questions.questions)
    asks = {name: arm(name, watched, options.context) for name in options.arms}
    records = run(
        asks,
        questions.questions,
        kept.folder / "records.jsonl",
        instruments,
        think=options.think,
        progress=question_counter(progress, questions.name, len(questions.questions) * len(asks)),
    )
    summary = summarise(questions.questions, records) | {
        "context": options.context,
        "generation": parts.store.require_generation(),
        "records": str(kept.folder),
    }
    kept.save_figures(summary)
    return AnswersResult(summary, questions, records)
