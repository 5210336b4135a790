"""``python -m rag.serving``: look after the managed Ollama."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from filelock import FileLock, Timeout

from rag.errors import AnswerdeskError, ModelMissing, OllamaUnavailable
from rag.schema import Language
from rag.serving.models import choose_among, installed_models, is_stand_in
from rag.serving.server import ServerStatus, ensure_running, status, stop, supervised
from rag.serving.state import ServerFiles
from rag.serving.supervisor import Supervisor
from rag.settings import Settings, load_settings
from rag.terminal import fail, terminal_language

_EXAMPLES = """examples:
  python -m rag.serving start               start Ollama, or adopt the one that runs already
  python -m rag.serving start --foreground  the same, and stop it with Ctrl-C
  python -m rag.serving status --json       for programs; the exit code is 4 when no server answers
  python -m rag.serving models              what is installed, and which one answers
  python -m rag.serving stop                stop the one that was started here

OLLAMA_HOST or ANSWERDESK_OLLAMA_HOST says where; ANSWERDESK_PARALLEL_SLOTS, ANSWERDESK_CONTEXT_TOKENS and
ANSWERDESK_KEEP_ALIVE_SECONDS tune a server that is started here."""

_WORDS: dict[str, tuple[str, str]] = {
    "managed": (
        "Ollama {version} runs at {url}, started here (process {pid}, restarts {restarts}); log: {log}",
        "Ollama {version} 正在运行：{url}，由本程序启动（进程 {pid}，重启 {restarts} 次）；日志：{log}",
    ),
    "adopted": (
        "Ollama {version} runs at {url}; it was there before and is left alone",
        "Ollama {version} 正在运行：{url}；它并非由本程序启动，不会被停止",
    ),
    "recovering": (
        "Ollama at {url} died and is being started again (restarts so far: {restarts}); log: {log}",
        "{url} 上的 Ollama 已退出，正在重新启动（已重启 {restarts} 次）；日志：{log}",
    ),
    "down": ("No model server answers at {url}", "{url} 上没有模型服务"),
    "stopped": ("Ollama at {url} was stopped", "已停止 {url} 上的 Ollama"),
    "not_running": ("Nothing to stop: no model server answers at {url}", "无需停止：{url} 上没有模型服务"),
    "not_ours": (
        "The Ollama at {url} was not started here and is left alone",
        "{url} 上的 Ollama 并非由本程序启动，未作改动",
    ),
    "none": ("No model is installed; fetch one with: make setup", "尚未安装模型，请运行：make setup"),
    "leave": ("Press Ctrl-C to stop", "按 Ctrl-C 停止"),
}


def _say(key: str, language: Language, **values: object) -> None:
    print(_WORDS[key][1 if language == "zh" else 0].format(**values), flush=True)


def _say_status(found: ServerStatus, language: Language, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
    elif found.running:
        _say("managed" if found.managed else "adopted", language, **asdict(found))
    else:
        _say("recovering" if found.managed else "down", language, **asdict(found))
    return 0 if found.running else OllamaUnavailable.exit_code


def _status(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    return _say_status(status(settings), language, as_json=options.json)


def _start(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    # Stopped with SIGTERM, a foreground server must end as it does at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = _say_status(ensure_running(settings, while_we_live=options.foreground), language, as_json=options.json)
    if options.foreground and status(settings).managed:
        _say("leave", language)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            _say(stop(settings), language, url=settings.ollama_url)
    return code


def _stop(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    outcome = stop(settings)
    if options.json:
        print(json.dumps({"url": settings.ollama_url, "outcome": outcome}))
    else:
        _say(outcome, language, url=settings.ollama_url)
    return 0


def _models(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    installed = installed_models(settings)
    try:
        chosen = choose_among(installed, settings.model).name
    except ModelMissing:
        chosen = ""  # the list is what helps to choose one
    rows = [
        {**asdict(model), "stand_in": is_stand_in(model.name), "chosen": model.name == chosen} for model in installed
    ]
    if options.json:
        print(json.dumps(rows, ensure_ascii=False))
    elif not rows:
        _say("none", language)
    else:
        for model in installed:
            mark = "*" if model.name == chosen else " "
            print(f"{mark} {model.name:32} {model.size_bytes / 1e9:6.2f} GB  {model.parameters} {model.quantization}")
    return 0


def _supervise(options: argparse.Namespace, settings: Settings, language: Language) -> int:
    """Become the supervisor: the process that was started ends, its fork goes on in a session of its own."""
    del language
    if os.fork():
        os._exit(0)
    os.setsid()
    files = ServerFiles.of(settings)
    try:
        with FileLock(files.owner_lock, blocking=False):
            return Supervisor(supervised(settings), files, lifeline=0 if options.lifeline else None).run()
    except Timeout:
        return 0  # another supervisor serves this port already


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rag.serving",
        description="Start, watch and stop the local model server, Ollama.  启动、查看和停止本机的模型服务。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="status | start | stop | models")
    actions: tuple[tuple[str, Callable[[argparse.Namespace, Settings, Language], int], str], ...] = (
        ("status", _status, "is it there?  查看状态"),
        ("start", _start, "start it, or adopt the one that runs  启动，或沿用已在运行的服务"),
        ("stop", _stop, "stop it, if it was started here  停止由本程序启动的服务"),
        ("models", _models, "list the installed models  列出已安装的模型"),
    )
    for name, action, words in actions:
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(action=action)
        command.add_argument("--json", action="store_true", help="print JSON  以 JSON 输出")
        if name == "start":
            command.add_argument(
                "--foreground", action="store_true", help="stay, and stop it with Ctrl-C  留在前台，按 Ctrl-C 停止"
            )
    supervise = commands.add_parser("supervise")  # for server.py alone, so without help
    supervise.add_argument("--lifeline", action="store_true")
    supervise.set_defaults(action=_supervise)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    language = terminal_language()
    try:
        settings = load_settings()
        return int(options.action(options, settings, language))
    except AnswerdeskError as error:
        return fail(error)


if __name__ == "__main__":
    sys.exit(main())
