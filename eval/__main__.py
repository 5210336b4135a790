"""``python -m eval``: accuracy, refusals and latency on questions whose answers are known."""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from eval.benches import BENCHMARKS, benchmark_main
from eval.commands import answers as answers_command
from eval.commands.shared import question_parser
from rag.errors import BenchmarkMissing
from rag.private_files import keep_files_private
from rag.terminal import exit_code_of, fail

EXAMPLES = """\
examples:
  python -m eval                              the sample questions, as the desk would answer them
  python -m eval --limit 20 --seed 7          a random twenty of them
  python -m eval --questions mine.jsonl --json result.json
  python -m eval --run monday                 resume an interrupted run
  python -m eval answers --help               answers beside the same model's ceiling and floor
  python -m eval retrieval --help             the search alone, without a model
  python -m eval refusal --help               are questions without an answer refused, and only those?
  python -m eval desk --help                  what customers wrote: at which stage right answers are lost
  python -m eval code --help                  functions that the model completes (HumanEval), run in a sandbox
  python -m eval compare --help               two runs question by question; or LangChain's stock pipelines
  python -m eval report --help                runs as one HTML page with plots
  python -m eval citations --help             is every sentence's support found, and every planted fault marked?
  python -m eval cache --help                 is a kept answer ever given to another question? how quickly do they come?
  python -m eval attacks --help               do orders in documents and questions steer the answer?
  python -m eval calibrate refusal            fit when this model's reading of the passages means a refusal
  python -m eval calibrate model --help       quantization, slots and context for this machine and your questions
  python -m eval train --help                 tune the model on your own answers; it stays only if it measurably wins
  python -m eval large --help                 a generated knowledge base of a hundred thousand passages
  python -m eval simulate --help              a day of a thousand agents, before machines that nobody has yet
  python -m eval load --help                  many sessions at once, beside raw Ollama clients
  python -m eval chunk-size --help            the search with several sizes of passages
  python -m eval gaps --help                  what the knowledge base lacks, by topic, from the questions of the desk
  python -m eval ingest --help                the ingest: speed, memory, and what a kill leaves behind
  python -m eval workers --help               how much faster an ingest is with workers beside it
"""
COMMANDS = (
    "answers", "retrieval", "refusal", "compare", "report", "citations", "code", "desk", "gaps", "chunk-size", "train",
    "calibrate refusal", "calibrate model",
)  # fmt: skip
"""The commands, each a module of ``eval.commands`` of that name with ``_`` between its words."""


def _parser() -> argparse.ArgumentParser:
    parser = question_parser(
        "",
        "Answer questions whose answers are known; report accuracy, refusals and p50/p95/p99 a stage.  整体质量",
        EXAMPLES,
        sets=False,
    )
    answers_command.add_answer_options(parser)
    parser.set_defaults(arms=("own",), context="own")
    return parser


def _run_benchmark(name: str, argv: Sequence[str]) -> int:
    try:
        run = benchmark_main(name)
    except BenchmarkMissing as error:
        return fail(error)
    return run(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    for name in (*BENCHMARKS, *COMMANDS):  # `compare langchain` before `compare`
        if given[: len(words := name.split())] != words:
            continue
        if name in BENCHMARKS:
            return _run_benchmark(name, given[len(words) :])
        module = import_module(f"eval.commands.{'_'.join(words).replace('-', '_')}")
        return int(module.main(given[len(words) :]))
    return answers_command.run_command(_parser(), given, all_questions=True)


if __name__ == "__main__":
    keep_files_private()
    # Ended from outside it ends as at Ctrl-C: what was measured is kept, and what it started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(exit_code_of(main))
