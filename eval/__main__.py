"""``python -m eval``: accuracy, refusals and latency on questions whose answers are known."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from eval import calibrate_reader, chunk_size_command, ingest_command, large_command
from eval.answers.runner import Record, run
from eval.answers.scores import summarise, wrong
from eval.dataset import GOLDEN_DIR, drawn
from eval.retrieval import command as retrieval_command
from eval.tables import print_report, question_bar, words
from ingest.golden import load_questions
from rag.errors import AnswerdeskError, SettingsError
from rag.factory import build_pipeline
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language

EXAMPLES = """\
examples:
  python -m eval                              the sample questions, as the desk would answer them
  python -m eval --limit 20 --seed 7          a random twenty of them
  python -m eval --questions mine.jsonl --json result.json
  python -m eval --run monday                 go on with a run that was interrupted
  python -m eval retrieval --help             the search alone, without a model
  python -m eval calibrate refusal            fit when this model's reading of the passages means a refusal
  python -m eval large --help                 a generated knowledge base of a hundred thousand passages
  python -m eval chunk-size --help            the search with several sizes of passages
  python -m eval ingest --help                the ingest: speed, memory, and what a kill leaves behind

exit codes: 0 measured, 2 usage, 3 no knowledge base, 4 no model server, 130 interrupted (the run can be resumed)
"""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What must be the same for a run to be resumed."""

    question_ids: tuple[str, ...]
    think: bool | None
    model: str
    generation: int

    def check_or_save(self, path: Path) -> None:
        """Save it beside a new run; raise ``SettingsError`` when the run of that name measured something else."""
        text = json.dumps(
            {
                "question_ids": self.question_ids,
                "think": self.think,
                "model": self.model,
                "generation": self.generation,
            },
            ensure_ascii=False,
        )
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise SettingsError(
                reason=f"the run {path.parent.name} measured other questions, another model or another knowledge base"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval",
        description="Answer questions whose answers are known; report accuracy, refusals and p50/p95/p99 a stage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--questions", type=Path, default=GOLDEN_DIR, help="JSONL file or folder (default: data/golden)"
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="only N questions, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    thinking = parser.add_mutually_exclusive_group()
    thinking.add_argument("--think", dest="think", action="store_true", default=None, help="always let the model think")
    thinking.add_argument("--no-think", dest="think", action="store_false", help="never")
    parser.add_argument("--model", default="", help="a model that Ollama has (default: the desk's)")
    parser.add_argument("--kb", default="", metavar="NAME", help="knowledge base (default: the desk's)")
    parser.add_argument("--run", default="", metavar="NAME", help="name of the run; an unfinished one is resumed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def _settings(arguments: argparse.Namespace) -> Settings:
    changes = {"model": arguments.model, "knowledge_base": arguments.kb}
    return load_settings().changed(**{name: value for name, value in changes.items() if value})


def measure(arguments: argparse.Namespace, console: Console) -> dict[str, object]:
    """Run (or resume) the evaluation that the arguments describe and return its figures."""
    settings = _settings(arguments)
    if Path(arguments.run).name != arguments.run:
        raise SettingsError(reason=f"--run {arguments.run}: a name without folders is expected")
    questions = drawn(load_questions(arguments.questions), arguments.limit, arguments.seed)
    pipeline = build_pipeline(settings)
    folder = settings.data_dir / "runs" / arguments.run
    identity = RunIdentity(
        question_ids=tuple(question.question_id for question in questions),
        think=arguments.think,
        model=pipeline.start_model(),
        generation=pipeline.generation,
    )
    identity.check_or_save(folder / "run.json")
    with question_bar(console) as bar:
        task = bar.add_task(words("questions", terminal_language()), total=len(questions))

        def advance(record: Record) -> None:
            bar.advance(task)

        records = run(pipeline, questions, folder / "records.jsonl", think=arguments.think, progress=advance)
    summary = summarise(questions, records) | {"generation": pipeline.generation, "records": str(folder)}
    print_report(summary, wrong(questions, records), console, terminal_language())
    return summary


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = sys.argv[1:] if argv is None else argv
    commands = {
        "retrieval": retrieval_command.main,
        "ingest": ingest_command.main,
        "chunk-size": chunk_size_command.main,
        "large": large_command.main,
    }
    if given and given[0] in commands:
        return commands[given[0]](given[1:])
    if given[:2] == ["calibrate", "refusal"]:
        return calibrate_reader.main(given[2:])
    arguments = _parser().parse_args(given)
    arguments.run = arguments.run or datetime.now().strftime("%Y-%m-%d-%H%M%S")
    console = Console(stderr=False)
    try:
        summary = measure(arguments, console)
        if arguments.json:
            arguments.json.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except AnswerdeskError as error:
        return fail(error)
    except KeyboardInterrupt:
        console.print(words("interrupted", terminal_language(), run=arguments.run), markup=False, soft_wrap=True)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
