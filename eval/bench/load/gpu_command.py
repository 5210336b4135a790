"""``python -m eval load gpu-timed-server``: a stand-in for a GPU that speaks Ollama's protocol."""

import argparse
import socket
from collections.abc import Sequence
from contextlib import closing, suppress

import uvicorn
from rich.console import Console

from eval.bench.load.gpu_timed_server import DEFAULT_MODEL, gpu_timed_application
from eval.bench.load.gpu_timing import GpuTiming
from eval.commands.question_options import print_line
from rag.errors import AnswerdeskError, SettingsError
from rag.terminal import fail, terminal_language
from rag.translate import translate

_HOST = "127.0.0.1"
_EPILOG = """\
examples:
  python -m eval load gpu-timed-server
  OLLAMA_HOST=127.0.0.1:11500 ANSWERDESK_MODEL=stand-in:gpu-timed ANSWERDESK_PARALLEL_SLOTS=10 python -m eval load

What it says is taken from the prompt's own documents, and says that no model wrote it.
exit codes: 0 ended, 2 usage or the port is taken
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval load gpu-timed-server",
        description="Stand in for a GPU: Ollama's protocol, a GPU's timing, no model.  GPU 计时替身",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    timing = GpuTiming()
    numbers: tuple[tuple[str, type, float, str], ...] = (
        ("slots", int, timing.slots, "answers at once  并行槽"),
        ("first-token-ms", float, timing.first_token_ms, "until the first token  首词元毫秒"),
        ("tokens-per-second", float, timing.tokens_per_second, "of one slot  每槽词元/秒"),
        ("answer-tokens", int, timing.answer_tokens, "of one answer  回答词元数"),
        ("thinking-tokens", int, timing.thinking_tokens, "of a thought, where one is wanted  思考词元数"),
        ("load-ms", float, timing.load_ms, "the first request takes longer by  首次加载毫秒"),
        ("max-waiting", int, timing.max_waiting, "requests beyond are refused with HTTP 503  排队上限"),
    )
    for name, kind, default, what in numbers:
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=f"{what} (default: {default:g})")
    parser.add_argument("--port", type=int, default=11500, metavar="N", help="default: 11500  端口")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"its name (default: {DEFAULT_MODEL})  模型名称")
    return parser


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl-C; return the command's exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    names = (
        "slots",
        "first_token_ms",
        "tokens_per_second",
        "answer_tokens",
        "thinking_tokens",
        "load_ms",
        "max_waiting",
    )
    try:
        timing = GpuTiming(**{name: getattr(arguments, name) for name in names})
    except ValueError as error:
        parser.error(str(error))
    try:
        listening = _listening(arguments.port)
    except AnswerdeskError as error:
        return fail(error)
    with closing(listening), suppress(KeyboardInterrupt):  # uvicorn raises it again when all has ended
        _announce(listening, arguments.model, timing)
        config = uvicorn.Config(gpu_timed_application(timing, arguments.model), log_level="error", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])
    return 0


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingsError(reason=translate("bench_load.gpu_port", terminal_language(), port=port)) from error
    listening.listen(1024)
    return listening


def _announce(listening: socket.socket, model: str, timing: GpuTiming) -> None:
    url = f"http://{_HOST}:{listening.getsockname()[1]}"
    said = translate(
        "bench_load.gpu_serving",
        terminal_language(),
        url=url,
        model=model,
        slots=timing.slots,
        first=timing.first_token_ms,
        rate=timing.tokens_per_second,
        answer=timing.answer_tokens,
    )
    print_line(Console(), said)
