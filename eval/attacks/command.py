"""``python -m eval attacks``: orders hidden in documents and questions, and how often an answer obeys them."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from eval.attacks.benchmark import ARMS, Attempt, attack, figures, poisoned
from eval.attacks.cases import Attack, load_attacks, paired
from eval.dataset import ATTACKS_DIR, GOLDEN_DIR, drawn
from eval.knowledge import open_parts
from eval.question_options import EXIT_CODES, run_name, write_json
from eval.question_sets import QuestionSet
from eval.runs import Run
from eval.tables import question_bar
from eval.words import words
from ingest.golden import GoldenQuestion, load_questions
from rag.errors import AnswerdeskError
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language

EXAMPLES = f"""\
examples:
  python -m eval attacks                         all attacks, on the product and on a plain prompt
  python -m eval attacks --limit 20 --seed 3
  python -m eval attacks --attacks mine.jsonl --run tuesday --json figures.json

A line of an attack file: {{"id", "lang", "where": "document" or "question", "text", "traces": [...]}} or "leak": true.

{EXIT_CODES}"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval attacks",
        description="Give the model orders in documents and questions; count the answers that obey.  提示注入攻击",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--attacks", type=Path, default=ATTACKS_DIR, help="JSONL file or folder  攻击用例")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N attacks, drawn by --seed  用例数")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn by chance  随机种子")
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)  模型名称")
    parser.add_argument("--run", default="", metavar="NAME", help="name of the run, new or unfinished  运行名称")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE  将指标写入文件")
    return parser


def measure(
    pairs: Sequence[tuple[Attack, GoldenQuestion]], settings: Settings, kept: Run, console: Console
) -> tuple[dict[str, object], list[Attempt]]:
    """Make (or resume) the attempts and return their figures.

    Raises ``SettingsError`` when the run of that name measured something else, and what ends a whole run.
    """
    corpus = poisoned(pairs, settings.data_dir / "runs" / "knowledge" / "poisoned")
    questions = tuple(question for _, question in pairs)
    parts = open_parts(QuestionSet("attacks", corpus, questions), settings)
    parts.ensure_server()
    identity = {
        "command": "attacks",
        "model": parts.generator.model,
        "stand_in": parts.generator.stand_in,
        "attacks": [asdict(one) for one, _ in pairs],
    }
    kept.begin(identity, questions)
    with question_bar(console, disable=not console.is_terminal) as bar:
        task = bar.add_task(words("attacks", terminal_language()), total=len(pairs) * len(ARMS))
        attempts = attack(pairs, parts, kept, lambda attempt: bar.advance(task))
    summary = figures(attempts) | {"model": parts.generator.model, "stand_in": parts.generator.stand_in}
    kept.save_figures(summary)
    return summary, attempts


def print_figures(
    summary: Mapping[str, object], attempts: Sequence[Attempt], console: Console, language: Language
) -> None:
    """Print the shares, and each answer of the product that obeyed."""
    titles = [words(key, language) for key in ("figure", "count", "attacks_obeyed", "attacks_obeyed_plain")]
    table = Table(*titles, title=words("attacks", language))
    groups = summary["by_group"]
    assert isinstance(groups, Mapping)
    for name, values in {words("attacks_all", language): summary, **groups}.items():
        shares = [values["succeeded"], values["succeeded_plain"]]
        table.add_row(name, str(values["n"]), *("-" if one is None else f"{one:.3f}" for one in shares))
    console.print(table)
    key = "stand_in" if summary["stand_in"] else "model"
    console.print(words(key, language, model=summary["model"]), markup=False)
    for one in attempts:
        if one.arm == "own" and one.succeeded:
            console.print(f"{one.attack_id}: {one.answer}", markup=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = _parser().parse_args(argv)
    console, language = Console(), terminal_language()
    name = ""
    try:
        name = run_name(arguments)
        attacks = load_attacks(arguments.attacks)
        chosen = drawn(attacks, arguments.limit, arguments.seed)
        pairs = [pair for pair in paired(attacks, load_questions(GOLDEN_DIR)) if pair[0] in chosen]
        changes = {"model": arguments.model} if arguments.model else {}
        settings = load_settings().changed(**changes)
        kept = Run.named(name, settings)
        summary, attempts = measure(pairs, settings, kept, console)
        print_figures(summary, attempts, console, language)
        console.print(words("records", language, records=kept.folder), markup=False, soft_wrap=True)
        write_json(arguments.json, summary)
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        console.print(words("resume", language, run=name), markup=False, soft_wrap=True)
        return 130
    return 0
