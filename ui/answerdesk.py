"""``answerdesk``: one command for everything that the ``python -m`` forms do.

A subcommand imports its own packages when it is called: ``answerdesk ask`` starts as quickly as ``python -m rag ask``.
"""

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import rag
from rag.interruption import end_at_interrupt

_EXAMPLES = """examples  示例:
  answerdesk setup                                    install Ollama, a model, the embedder  安装所需组件
  answerdesk ingest manuals                           read a folder of documents  导入文档
  answerdesk ask "How long can I return an order?"    one answer with its sources  提问并查看依据
  answerdesk ask "退款多久到账？"
  answerdesk desk --port 8501                         open the desk in the browser  打开工作台
  answerdesk api --port 8600                          answer other programs  向其他程序提供 API
  answerdesk models pull deepseek-r1:7b               download a model  下载模型
  answerdesk serve status                             does the model server run?  查看模型服务
  answerdesk people add mei --role admin              let somebody sign in  添加用户
  answerdesk keys add widget --right ask --kb shop    let another program ask  创建 API 密钥
  answerdesk eval retrieval --kb shop                 measure the search  评测检索

Each command has its own --help; the forms with python -m do the same.
每个命令都有 --help；python -m 形式的命令与之等价。"""

_MODEL_COMMANDS = ("list", "pull", "import", "quantize", "adapter", "delete", "use", "pictures", "size")
_SERVER_COMMANDS = ("status", "start", "stop")


@dataclass(frozen=True, slots=True)
class _Command:
    """``module`` has the ``main`` that is called, where ``is_told_its_name`` with the command's name before the rest.

    ``only`` are the subcommands that there are; empty: whatever ``main`` knows.
    """

    module: str
    description: str
    is_told_its_name: bool = False
    only: tuple[str, ...] = ()


_COMMANDS: Mapping[str, _Command] = {
    "ask": _Command("rag.__main__", "answer one question  回答一个问题", is_told_its_name=True),
    "batch": _Command(
        "rag.__main__", "answer a JSONL file of questions  批量回答 JSONL 文件中的问题", is_told_its_name=True
    ),
    "ingest": _Command("ingest.__main__", "read documents into a knowledge base  导入文档"),
    "worker": _Command("ingest.worker", "embed passages for ingests of other machines  协助其他机器的导入"),
    "desk": _Command("ui.__main__", "open the desk in the browser  打开工作台"),
    "api": _Command("api.__main__", "answer other programs  向其他程序提供 API"),
    "models": _Command("rag.ollama.__main__", "list, download, make, choose models  管理模型", only=_MODEL_COMMANDS),
    "serve": _Command(
        "rag.ollama.__main__", "start, stop, check the model server  管理模型服务", only=_SERVER_COMMANDS
    ),
    "people": _Command("ui.__main__", "who may sign in  管理用户", is_told_its_name=True),
    "keys": _Command("api.key_commands", "API keys for other programs  管理 API 密钥"),
    "curated": _Command("rag.__main__", "answers written by people  管理人工答案", is_told_its_name=True),
    "latency": _Command("rag.__main__", "times of recorded answers  已记录回答的耗时", is_told_its_name=True),
    "migrate": _Command(
        "rag.__main__", "copy people and questions to PostgreSQL, or back  迁移数据库", is_told_its_name=True
    ),
    "forget": _Command("rag.__main__", "erase a customer's data  删除客户数据", is_told_its_name=True),
    "retention": _Command("rag.__main__", "delete questions past their retention  清理过期问题", is_told_its_name=True),
    "eval": _Command("eval.__main__", "measure answers, search, refusals, citations  评测质量"),
    "setup": _Command("rag.setup.__main__", "install what is missing  安装所需组件"),
}


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, _COMMANDS)) + 2
    listed = "\n".join(f"  {name:<{width}}{command.description}" for name, command in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="answerdesk",
        usage="answerdesk COMMAND [OPTIONS]",
        description=f"A support desk that shows its evidence.  显示依据的客服工作台。\n\ncommands  命令:\n{listed}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"answerdesk {rag.__version__}", help="版本")
    parser.add_argument("command", choices=tuple(_COMMANDS), metavar="COMMAND", help="one of the above  上述命令之一")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, which is that of the ``python -m`` form."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = _COMMANDS.get(words[0]) if words else None
    if command is None:
        _parser().parse_args(words)  # ends the program: with help or version, or because there is no such command
        raise AssertionError(words)
    name, *rest = words
    if command.only and (not rest or rest[0] not in command.only):
        parser = argparse.ArgumentParser(prog=f"answerdesk {name}", description=command.description)
        parser.add_argument("command", choices=command.only, help=f"answerdesk {name} COMMAND --help  查看命令说明")
        parser.parse_args(rest)  # ends the program: with the help, or because there is no such command
    call: Callable[[Sequence[str]], int] = importlib.import_module(command.module).main
    return call(words if command.is_told_its_name else rest)


def run() -> None:
    """Run the program ``answerdesk`` and end it with the command's exit code."""
    end_at_interrupt()
    from rag.priority import run_as_batch_work
    from rag.private_files import keep_files_private
    from rag.terminal import exit_code_of

    keep_files_private()
    if sys.argv[1:2] == ["eval"]:  # SIGTERM ends it as Ctrl-C does: results so far are kept, its processes end too
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.argv[1:2] in (["ingest"], ["worker"]):
        sys.exit(run_as_batch_work(lambda: exit_code_of(main)))
    exit_code = exit_code_of(main)
    if sys.argv[1:2] in (["desk"], ["api"]):
        os._exit(exit_code)  # all is closed; a thread still loading the embedder would make its native library abort
    sys.exit(exit_code)
