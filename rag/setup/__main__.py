"""``python -m rag.setup``: installs Ollama, a model and the embedder on this machine."""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import signal
import sys
from collections.abc import Sequence

from rag.private_files import keep_files_private
from rag.settings import load_settings
from rag.setup.console import Console
from rag.setup.steps import ALL_STEPS, provide
from rag.terminal import exit_code_of, run_command, terminal_language

_EXAMPLES = """examples:
  python -m rag.setup                            all three; what is here already is left alone
  python -m rag.setup model deepseek-r1:1.5b     this model and no other
  python -m rag.setup model stand-in:0.5b        the small model that stands in for DeepSeek-R1 in tests

ANSWERDESK_CACHE_DIR says where everything goes, OLLAMA_HOST names a server that runs already, ANSWERDESK_MODEL the
model.  What has arrived is kept when a step is interrupted: run the same command again."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rag.setup",
        description="Bring Ollama, a model and the embedder onto this machine.  准备 Ollama、模型和向量模型。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(steps=ALL_STEPS, name="")
    commands = parser.add_subparsers(metavar="all | ollama | model [NAME] | embedder | browser | sandbox")
    for command, words in (
        ("all", "the three steps (default)  全部三步（默认）"),
        ("ollama", "the model server  模型服务"),
        ("model", "a model: NAME, or the best that can be had  指定的模型，或能获得的最佳模型"),
        ("embedder", "what finds passages by meaning  向量模型"),
        ("browser", "Chromium for the tests of the page  页面测试所需的浏览器"),
        ("sandbox", "bubblewrap and HumanEval for: python -m eval code  代码评测所需的沙箱和题目"),
    ):
        chosen = commands.add_parser(command, help=words, description=words)
        chosen.set_defaults(steps=ALL_STEPS if command == "all" else (command,))
        if command == "model":
            chosen.add_argument("name", nargs="?", default="", metavar="NAME")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps and return the exit code: 0, that of the error, or 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    console = Console(terminal_language())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopped by others, end as at Ctrl-C: no build goes on
    console.warn_root()
    return run_command(
        lambda: provide(load_settings(), console, options.steps, model=options.name),
        lambda: console.note("interrupted"),
    )


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
