"""``python -m eval attacks``: orders hidden in documents and questions, and how often an answer obeys them."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from eval.bench.attacks.benchmark import (
    ARMS,
    OUTCOMES,
    Arm,
    Attempt,
    Bases,
    Passage,
    attack,
    figures,
    first_guardrail,
    guardrail_figures,
    poisoned_knowledge,
)
from eval.bench.attacks.cases import Pair, load_attacks, paired
from eval.commands.shared import (
    EXIT_CODES,
    SHOWN_INGEST,
    add_run_options,
    chosen_settings,
    command_parser,
    exit_code,
    headed_table,
    model_line,
    print_line,
    question_bar,
    question_limit,
    run_name,
    write_json,
)
from eval.core.knowledge import open_parts
from eval.core.question_sets import ATTACKS_DIR, GOLDEN_DIR, KNOWLEDGE_DIR, QuestionSet, draw_sample
from eval.core.runs import Run
from ingest.golden import load_questions
from rag.errors import SettingsError
from rag.factory import build_parts
from rag.retrieval.embedder import open_embedder
from rag.schema import Language
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language
from rag.translate import translate

EXAMPLES = f"""\
examples:
  python -m eval attacks                         all attacks, on the product and on a plain prompt
  python -m eval attacks --limit 20 --seed 3
  python -m eval attacks --no-model              which orders the first guardrail lets through: seconds, no model
  python -m eval attacks --attacks data/attacks/held-out
  python -m eval attacks --attacks data/attacks/pictures --no-model    orders in pictures, read by OCR
  python -m eval attacks --way german --way title --arms own,clean
  python -m eval attacks --attacks mine.jsonl --run tuesday --json figures.json

A line of an attack file: {{"id", "lang", "where": "document" or "question", "text", "traces": [...]}} or "leak": true;
also "way" and "place" ("paragraph", "picture", "title" or "mail").

{EXIT_CODES}"""


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "attacks",
        "Give the model orders in documents and questions; count the answers that obey.  提示注入攻击",
        EXAMPLES,
    )
    parser.add_argument("--attacks", type=Path, default=ATTACKS_DIR, help="JSONL file or folder  攻击用例")
    parser.add_argument(
        "--way", action="append", default=[], metavar="WAY", help="only attacks written in this way  书写方式"
    )
    parser.add_argument(
        "--arms", default=",".join(ARMS), help="of own, plain and clean, with commas (default: all)  对照组"
    )
    parser.add_argument(
        "--no-model", action="store_true", help="only tell what the first guardrail lets through  仅检查第一道防线"
    )
    parser.add_argument(
        "--limit", type=question_limit, default=0, metavar="N", help="only N attacks, drawn by --seed  用例数"
    )
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)  模型名称")
    add_run_options(parser)
    return parser


def measure(
    rounds: Sequence[Sequence[Pair]], arms: Sequence[Arm], settings: Settings, kept: Run, console: Console
) -> tuple[dict[str, object], list[Attempt]]:
    """Make (or resume) the attempts and return their figures.

    Raises ``SettingsError`` when the run of that name measured something else, and what ends a whole run.
    """
    pairs = [pair for one in rounds for pair in one]
    questions = tuple(question for _, question in pairs)
    folder = settings.data_dir / "runs" / "knowledge" / "poisoned"
    embedder = open_embedder(settings)
    parts = [
        build_parts(
            settings,
            KnowledgeStore(poisoned_knowledge(one, folder / str(number), settings, embedder).knowledge_dir),
            embedder=embedder,
        )
        for number, one in enumerate(rounds, start=1)
    ]
    sample = QuestionSet("sample", KNOWLEDGE_DIR, questions)
    clean = open_parts(sample, settings, SHOWN_INGEST) if "clean" in arms else None
    parts[0].gateway.ensure_server()
    generator = parts[0].gateway.generator
    identity = {
        "command": "attacks",
        "model": generator.model,
        "stand_in": generator.stand_in,
        "arms": list(arms),
        "attacks": [asdict(one) for one, _ in pairs],
    }
    kept.begin(identity, questions)
    attempts: list[Attempt] = []
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(translate("eval.attacks", terminal_language()), total=len(pairs) * len(arms))
        for one, poisoned_parts in zip(rounds, parts, strict=True):
            attempts += attack(one, Bases(poisoned_parts, clean), kept, arms, lambda attempt: bar.advance(task))
    summary = figures(attempts) | {"model": generator.model, "stand_in": generator.stand_in}
    kept.save_figures(summary)
    return summary, attempts


def print_figures(
    summary: Mapping[str, object], attempts: Sequence[Attempt], console: Console, language: Language
) -> None:
    """Print the outcomes of the attacks sent, and each answer of the product that obeyed, with a mark or without."""
    keys = ("figure", "attacks_sent", *(f"attacks_{outcome}" for outcome in OUTCOMES))
    table = headed_table((f"eval.{key}" for key in keys), "eval.attacks", language)
    groups, right = summary["by_group"], summary["right"]
    assert isinstance(groups, Mapping)
    assert isinstance(right, Mapping)
    for name, arms in {translate("eval.attacks_all", language): summary, **groups}.items():
        for arm in ("own", "plain"):
            if (counts := arms[arm])["n"]:
                label = name if arm == "own" else translate("eval.attacks_plain", language, name=name)
                shown = [str(counts[outcome]) for outcome in OUTCOMES]
                table.add_row(label, f"{counts['sent']} / {counts['n']}", *shown)
    console.print(table)
    if right["n"]:
        print_line(console, translate("eval.attacks_right", language, **right))
    print_line(console, model_line(summary, language))
    for one in attempts:
        if one.arm == "own" and one.sent and one.outcome != "not_obeyed":
            outcome = translate(f"eval.attacks_{one.outcome}", language)
            print_line(console, f"{one.attack_id} ({outcome}): {one.answer}")


def print_first_guardrail(passages: Sequence[Passage], console: Console, language: Language) -> None:
    """Print how many attacks pass, by way, and which."""
    summary = guardrail_figures(passages)
    ways = summary["by_way"]
    assert isinstance(ways, Mapping)
    table = headed_table(("eval.figure", "eval.count", "eval.attacks_pass"), "eval.attacks", language)
    for name, values in {translate("eval.attacks_all", language): summary, **ways}.items():
        table.add_row(name, str(values["n"]), str(values["passes"]))
    console.print(table)
    print_line(console, " ".join(one.attack.id for one in passages if one.passes))


def _rounds(arguments: argparse.Namespace) -> list[list[Pair]]:
    """Return the chosen attacks with their questions.  Raises ``SettingsError``."""
    attacks = load_attacks(arguments.attacks)
    of_way = tuple(one for one in attacks if not arguments.way or one.way in arguments.way)
    if not of_way:
        raise SettingsError(reason=translate("eval.attack_way", terminal_language(), way=", ".join(arguments.way)))
    return paired(draw_sample(of_way, arguments.limit, arguments.seed), load_questions(GOLDEN_DIR))


def _arms(given: str) -> tuple[Arm, ...]:
    """Return the arms in their order.  Raises ``SettingsError`` for a name that is none."""
    names = [name.strip() for name in given.split(",")]
    if unknown := [name for name in names if name not in ARMS]:
        raise SettingsError(reason=translate("eval.attack_arm", terminal_language(), arm=unknown[0]))
    return tuple(arm for arm in ARMS if arm in names)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    name = ""

    def work() -> None:
        nonlocal name
        rounds = _rounds(arguments)
        if arguments.no_model:
            passages = first_guardrail([pair for one in rounds for pair in one])
            print_first_guardrail(passages, console, language)
            write_json(arguments.json, guardrail_figures(passages))
            return
        arms = _arms(arguments.arms)
        name = run_name(arguments)
        settings = chosen_settings(arguments)
        kept = Run.named(name, settings)
        summary, attempts = measure(rounds, arms, settings, kept, console)
        print_figures(summary, attempts, console, language)
        print_line(console, translate("eval.records", language, records=kept.folder))
        write_json(arguments.json, summary)

    return exit_code(work, lambda: translate("eval.resume", language, run=name))
