"""``python -m rag.ollama``: manages the local Ollama and its models."""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from filelock import FileLock, Timeout

from rag.cli import add_command, share_examples
from rag.cli.model_size import add_size_command
from rag.cli.models import add_model_commands, print_vision_model, say
from rag.errors import AnswerdeskError, NotOllama, OllamaSilent, OllamaUnavailable
from rag.ollama.hosts import Hosts, choose_model, hosts_of
from rag.ollama.server import ServerStatus, ensure_running, status, stop, supervised_command
from rag.ollama.state import ServerFiles
from rag.ollama.supervisor import Supervisor
from rag.private_files import keep_files_private
from rag.schema import Language
from rag.settings import Settings, load_settings
from rag.terminal import exit_code_of, fail, print_json, run_command, terminal_language, warn_root

_EXAMPLES = """examples:
  python -m rag.ollama start               start Ollama, or adopt the one that runs already
  python -m rag.ollama start --foreground  the same, and stop it with Ctrl-C
  python -m rag.ollama status --json       for programs; the exit code is 4 when no server answers
  python -m rag.ollama list                what is installed, and which one answers (*)
  python -m rag.ollama pull deepseek-r1:7b
  python -m rag.ollama import r1-f16.gguf --name r1:7b-f16 --template r1
  python -m rag.ollama quantize r1:7b-f16 q4_K_M      makes r1:7b-q4_K_M
  python -m rag.ollama adapter r1:7b-f16 --adapter finance-lora.gguf --as r1:7b-finance
  python -m rag.ollama use r1:7b-q4_K_M    the desk answers with it from its next start on
  python -m rag.ollama pictures moondream  it describes pictures; --none: no model does
  python -m rag.ollama delete r1:7b-f16
  python -m rag.ollama size r1:7b-q4_K_M --slots 4 --context 8192     will it fit, and how fast will it be?
  python -m rag.ollama size downloaded.gguf                           before it is imported; needs no server
  python -m rag.ollama stop                stop the one that was started here

OLLAMA_HOST or ANSWERDESK_OLLAMA_HOST says where; OLLAMA_HOSTS names several, separated by commas, which share the
questions and are neither started nor stopped; the commands on models speak to the first.  ANSWERDESK_PARALLEL_SLOTS,
ANSWERDESK_CONTEXT_TOKENS and ANSWERDESK_KEEP_ALIVE_SECONDS tune a server that is started here.

exit codes: 0 done, 1 not deleted after asking, 2 a name, file or option that cannot be used, 4 no server or no such
  model, 5 the download failed, 130 interrupted"""


def _say_status(found: ServerStatus, language: Language, *, as_json: bool) -> int:
    if as_json:
        print_json(asdict(found))
    elif found.running:
        say("managed" if found.managed else "adopted", language, **asdict(found))
    elif found.other_program:
        print(NotOllama(host=found.url).text(language))
    elif found.silent and not found.managed:
        print(OllamaSilent(host=found.url).text(language))
    else:
        say("recovering" if found.managed else "down", language, **asdict(found))
    if found.neighbours is not None and not as_json:
        key = "neighbours" if found.threads else "neighbours_outrun"
        say(key, language, **asdict(found.neighbours), threads=found.threads)
    return 0 if found.running else OllamaUnavailable.exit_code


def _status(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    hosts = hosts_of(settings)
    if hosts is not None:
        from rag.cli.hosts import hosts_report, print_hosts  # brings numpy, with the line before the hosts

        logging.getLogger(Hosts.__module__).setLevel(logging.ERROR)  # which host is left out is said below
        code = print_hosts(hosts_report(settings, hosts), language, as_json=options.json)
    else:
        code = _say_status(status(settings), language, as_json=options.json)
        if code == 0 and settings.model and not options.json:
            _say_missing_model(settings)
    _print_vision(code, options, settings, language)
    return code


def _say_missing_model(settings: Settings) -> None:
    """Print on standard error that the model of the settings is not installed."""
    try:
        choose_model(settings)
    except AnswerdeskError as error:
        fail(error)


def _print_vision(code: int, options: argparse.Namespace, settings: Settings, language: Language) -> None:
    """Print the model that describes pictures, or on standard error why it cannot."""
    if code != 0 or not settings.vision_model or options.json:
        return
    try:
        print_vision_model(settings, language)
    except AnswerdeskError as error:
        fail(error)


def _start(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    if len(settings.ollama_urls) > 1:
        return _leave_hosts_alone(options, settings, language)
    warn_root()
    # Stopped with SIGTERM, a foreground server must end as it does at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = _say_status(ensure_running(settings, while_we_live=options.foreground), language, as_json=options.json)
    _print_vision(code, options, settings, language)
    if options.foreground and status(settings).managed:
        say("leave", language)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            say(stop(settings), language, url=settings.ollama_url)
    return code


def _leave_hosts_alone(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    if not options.json:
        say("hosts_left_alone", language)
    return _status(options, settings, language)


def _stop(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    if len(settings.ollama_urls) > 1:
        _leave_hosts_alone(options, settings, language)
        return 0
    outcome = stop(settings)
    if options.json:
        print(json.dumps({"url": settings.ollama_url, "outcome": outcome}))
    else:
        say(outcome, language, url=settings.ollama_url)
    return 0


def _supervise(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    """Become the supervisor: the process that was started ends, its fork goes on in a session of its own."""
    del language
    owner = os.getppid() if options.lifeline else None
    if os.fork():
        os._exit(0)
    os.setsid()
    files = ServerFiles.of(settings)
    try:
        with FileLock(files.owner_lock, blocking=False):
            server = replace(supervised_command(settings), owner=owner)
            return Supervisor(server, files, lifeline=0 if options.lifeline else None).run()
    except Timeout:
        return 0  # another supervisor serves this port already


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rag.ollama",
        description="Look after the local model server, Ollama, and its models.  管理本机的模型服务和模型。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    actions: tuple[tuple[str, Callable[[argparse.Namespace, Settings, Language], int], str], ...] = (
        ("status", _status, "is it there?  查看状态"),
        ("start", _start, "start it, or adopt the one that runs  启动，或沿用已在运行的服务"),
        ("stop", _stop, "stop it, if it was started here  停止由本程序启动的服务"),
    )
    for name, action, words in actions:
        command = add_command(commands, name, action, words)
        command.add_argument("--json", action="store_true", help="print JSON  以 JSON 输出")
        if name == "start":
            command.add_argument(
                "--foreground", action="store_true", help="stay, and stop it with Ctrl-C  留在前台，按 Ctrl-C 停止"
            )
    add_model_commands(commands)
    add_size_command(commands)
    share_examples(commands, _EXAMPLES)
    supervise = commands.add_parser("supervise")  # for server.py alone, so without help
    supervise.add_argument("--lifeline", action="store_true")
    supervise.set_defaults(action=_supervise)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    language = terminal_language()
    return run_command(
        lambda: int(options.action(options, load_settings(), language)), lambda: say("interrupted", language)
    )


if __name__ == "__main__":
    keep_files_private()
    sys.exit(exit_code_of(main))
