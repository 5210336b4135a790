"""``python -m eval compare langchain``: this product beside LangChain's stock pipelines, on the same questions.

``open_tutorial`` asks LangChain's tutorial the cases of ``python -m eval desk``: four passages of 1,000 characters, the
hub's prompt.
"""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.answers.asking import RECORDS, Record, TokenCounts
from eval.answers.measurement import measure_answers
from eval.answers.scores import summarise
from eval.bench.langchain.baseline import SYSTEMS, ChatModel, StockAnswer, StockPipelines, System
from eval.commands import answers as answers_command
from eval.commands.retrieval import MEASURES
from eval.commands.shared import (
    SHOWN_INGEST,
    chosen_settings,
    finish,
    headed_table,
    one_set,
    print_line,
    progress_in,
    question_bar,
    question_parser,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run, keep_asking
from eval.desk.asking import Passages, Seconds, plain_answer
from eval.desk.asking import Record as DeskRecord
from eval.desk.cases import DeskCase
from eval.retrieval import benchmark
from eval.retrieval.rankings import RANKINGS, Ranking
from eval.retrieval.rankings import figures as figures_of
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.grounding.answered_parts import says_not_found
from rag.pipeline import PipelineParts
from rag.retrieval.embedder import open_embedder
from rag.retrieval.model_folders import reference_folder
from rag.schema import Answer
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.text.language import prompt_language, question_language
from rag.translate import translate

EXAMPLES = """\
examples:
  python -m eval compare langchain --corpus docs.jsonl --questions asked.jsonl --json figures.json
  python -m eval compare langchain --corpus docs.jsonl --questions asked.jsonl --limit 20 --answers

Needs the extra: pip install 'answerdesk[compare]'.  LangChain's parts are its tutorials' and are not mended: see
docs/quality.md for what that means.  Every system's run can be compared and reported by its name, RUN/SYSTEM.
"""
_NEEDED = ("langchain_classic", "langchain_community", "langchain_ollama", "rank_bm25")

Tutorial = Callable[[DeskCase], DeskRecord]

_DOES_NOT_KNOW = re.compile(
    r"\W*(?:i['’]?m sorry\W+|i am sorry\W+|sorry\W+)?(?:but )?i (?:do not|don['’]t) (?:actually )?know\b"
    r"|\W*(?:(?:对不起|很?抱歉)\W*)?我?(?:不知道|不清楚|无法回答)",
    re.IGNORECASE,
)


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "compare langchain",
        "Find and answer with this product and with LangChain's stock pipelines.  与 LangChain 对比",
        EXAMPLES,
        sets=False,
    )
    answers_command.add_answer_options(parser)
    parser.add_argument("--answers", action="store_true", help="let the model answer, too  同时比较回答")
    parser.set_defaults(arms=("own",), context="own")
    return parser


def measure_found(
    one: QuestionSet, stock: StockPipelines, settings: Settings, kept: Run, console: Console
) -> dict[str, object]:
    """Return each system's retrieval figures; each has a run of its own below ``kept``."""
    embedder = open_embedder(settings)
    asked = one.with_relevant()
    figures: dict[str, object] = {}
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(one.name, total=len(asked.questions) * (1 + len(SYSTEMS)))
        own = Run(kept.folder / "answerdesk")
        own_progress = Progress(lambda name, done, total: bar.update(task, completed=done))
        rankings = benchmark.run(asked, settings, embedder, own, own_progress)
        figures["answerdesk"] = _saved(own, figures_of(rankings))
        for system in SYSTEMS:
            own = Run(kept.folder / f"langchain-{system}")
            own.begin(_identity("retrieval", one.name, system), asked.questions)
            rankings = keep_asking(
                own.folder / "records.jsonl",
                RANKINGS,
                [(question.question_id, question) for question in asked.questions],
                _ranking(stock, system),
                lambda ranking: ranking.question_id,
                lambda ranking: bar.advance(task),
            )
            figures[f"langchain-{system}"] = _saved(own, figures_of(rankings))
    return figures


def _ranking(stock: StockPipelines, system: System) -> Callable[[GoldenQuestion], Ranking]:
    def rank(question: GoldenQuestion) -> Ranking:
        began_at = time.perf_counter()
        documents = stock.search(system, _in_one(question))
        return Ranking(question.question_id, question.relevant, documents, (time.perf_counter() - began_at) * 1000)

    return rank


def _own_answers(
    asked: QuestionSet, parts: PipelineParts, own: Run, arguments: argparse.Namespace, console: Console
) -> dict[str, object]:
    with progress_in(console) as progress:
        return measure_answers(asked, parts, own, answers_command.options_of(arguments), progress).summary


def measure_systems(
    one: QuestionSet, stock: StockPipelines, parts: PipelineParts, kept: Run, arguments: argparse.Namespace
) -> dict[str, object]:
    """Return each system's answer figures; each has a run of its own below ``kept``."""
    asked, console = one.answerable(), Console()
    own = Run(kept.folder / "answerdesk-answers")
    figures: dict[str, object] = {"answerdesk": _own_answers(asked, parts, own, arguments, console)}
    model = chat_model(parts, arguments.think)
    ask_stock = {system: _answering(stock.answering(system, model), parts) for system in SYSTEMS}
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task("langchain", total=len(asked.questions) * len(SYSTEMS))
        for system in SYSTEMS:
            own = Run(kept.folder / f"langchain-{system}-answers")
            own.begin(_identity("answers", one.name, system) | {"model": model.name}, asked.questions)
            records = keep_asking(
                own.folder / "records.jsonl",
                RECORDS,
                [(question.question_id, question) for question in asked.questions],
                ask_stock[system],
                lambda record: record.question_id,
                lambda record: bar.advance(task),
            )
            figures[f"langchain-{system}"] = _saved(own, summarise(asked.questions, records))
    return figures


def chat_model(parts: PipelineParts, think: bool | None) -> ChatModel:
    """Return the model that answers for the product, with the same context and length of answers."""
    settings = parts.settings
    return ChatModel(
        name=parts.gateway.generator.model,
        url=settings.ollama_url,
        context_tokens=settings.context_tokens,
        answer_tokens=settings.answer_budget_tokens,
        think=bool(think),
    )


def _answering(answer: Callable[[str], StockAnswer], parts: PipelineParts) -> Callable[[GoldenQuestion], Record]:
    def ask(question: GoldenQuestion) -> Record:
        began_at = time.perf_counter()
        given = answer(_in_one(question))
        total_ms = (time.perf_counter() - began_at) * 1000
        return Record(
            question_id=question.question_id,
            answer=replace(plain_answer(given.text, question_language(question.question), parts), generation=0),
            error="",
            evidence_documents=given.documents,
            answerable_probability=1.0,
            evidence_ms=None,
            first_token_ms=None,
            first_answer_ms=None,
            total_ms=total_ms,
            found_documents=given.documents,
            sent_documents=given.documents,
            sent=given.sent,
            tokens=TokenCounts(given.prompt_tokens, given.generated_tokens, parts.count_tokens(given.sent)),
        )

    return ask


def _identity(command: str, name: str, system: System) -> dict[str, object]:
    return {
        "command": command,
        "set": name,
        "system": f"langchain {system}",
        "versions": [f"{package} {version(package)}" for package in ("langchain-community", "langchain-classic")],
    }


def _saved(run: Run, figures: dict[str, object]) -> dict[str, object]:
    run.save_figures(figures)
    return figures


def _in_one(question: GoldenQuestion) -> str:
    """Return a follow-up with the question before it, as a stock pipeline has no memory."""
    return f"{question.previous}\n{question.question}".strip()


def print_figures(figures: dict[str, dict[str, object]], console: Console) -> None:
    """Print a row a system, of what it found and, where it was asked, of what it answered."""
    language = terminal_language()
    heads = ("eval.system", "n", *MEASURES.values(), "p50 ms", "p99 ms")
    table = headed_table(heads, "eval.found", language)
    for name, one in figures["retrieval"].items():
        assert isinstance(one, dict)
        values = [f"{one[key]:.3f}" for key in MEASURES]
        table.add_row(name, str(one["n"]), *values, str(one["latency_ms"]["p50"]), str(one["latency_ms"]["p99"]))
    console.print(table)
    if "answers" not in figures:
        return
    measures = ("accuracy", "token_f1", "rouge_l", "language_match")
    table = Table(
        translate("eval.system", language), "n", *measures, "tokens.prompt", title=translate("eval.answers", language)
    )
    for name, one in figures["answers"].items():
        assert isinstance(one, dict)
        shown = ["-" if one[key] is None else f"{one[key]:.3f}" for key in measures]
        table.add_row(name, str(one["n"]), *shown, str(one["tokens"]["prompt"]))
    console.print(table)


def require_extra() -> None:
    """Raise ``SettingsError`` where the extra is not installed."""
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise SettingsError(reason=translate("eval.extra_missing", terminal_language(), packages=", ".join(missing)))


def stock_pipelines(parts: PipelineParts, vectors_folder: Path | None = None) -> StockPipelines:
    """Return LangChain's pipelines over the documents of a knowledge base."""
    store, generation = parts.store, parts.store.require_generation()
    documents = [store.document(name, generation) for name in store.origins(generation)]
    return StockPipelines(documents, reference_folder(parts.settings), vectors_folder)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()

    def work(name: str) -> None:
        require_extra()
        settings = chosen_settings(arguments)
        one = one_set(arguments)
        parts, kept = open_parts(one, settings, SHOWN_INGEST), Run.named(name, settings)
        stock = stock_pipelines(parts)
        figures = {"retrieval": measure_found(one, stock, settings, kept, console)}
        if arguments.answers:
            figures["answers"] = measure_systems(one, stock, parts, kept, arguments)
        print_figures(figures, console)
        print_line(console, translate("eval.records", language, records=kept.folder))
        write_json(arguments.json, figures)

    return finish(arguments, work)


def open_tutorial(parts: PipelineParts, *, with_model: bool, think: bool | None) -> Tutorial:
    """Return a function that asks the tutorial, over the documents of the same knowledge base.

    Cutting and embedding them takes minutes the first time.  All turns of a conversation are asked as one text, for the
    tutorial has no memory; it has no refusal either: a reply that begins by saying that it does not know counts as one.
    Raises ``SettingsError`` where the extra is not installed.
    """
    require_extra()
    stock = stock_pipelines(parts, parts.settings.data_dir / "runs" / "knowledge" / "langchain")
    answer = stock.answering("faiss", chat_model(parts, think)) if with_model else None

    def ask(case: DeskCase) -> DeskRecord:
        question, began_at = "\n".join(case.turns), time.perf_counter()
        reply: Answer | None = None
        if answer is None:
            documents, sent = stock.context("faiss", question)
        else:
            given = answer(question)
            documents, sent = given.documents, given.sent
            refused = does_not_know(given.text)
            reply = plain_answer(given.text, prompt_language(case.question), parts, refused=refused)
        passages = Passages(documents, sent, parts.count_tokens(sent))
        return DeskRecord(
            case.case_id,
            "langchain",
            shown=passages,
            sent=passages,
            answer=reply,
            seconds=Seconds(whole=round(time.perf_counter() - began_at, 4)),
        )

    return ask


def does_not_know(text: str) -> bool:
    """Tell whether a reply begins by saying that it does not know.

    >>> does_not_know("I don't know."), does_not_know("抱歉，我不知道。"), does_not_know("In 30 days.")
    (True, True, False)
    """
    return _DOES_NOT_KNOW.match(text) is not None or says_not_found(text)
