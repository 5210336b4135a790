"""``python -m api``: the same answers for other programs, over OpenAI's wire and a REST API of its own.

python -m api [--port 8600] [--host 127.0.0.1]     serve it
python -m api keys add NAME ...                    who may call it
python -m api openapi                              its description, for tools
python -m api mcp                                  for an assistant that starts it itself
"""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

from api.addresses import (
    ANOTHER_GRPC_PORT,
    THIS_MACHINE,
    GrpcAddress,
    is_open_unencrypted,
    own_names,
    require_free,
    require_sign_in,
)
from rag.errors import ExtraMissing, PortTwice, ServingError
from rag.ollama.server import ensure_running, stop
from rag.private_files import keep_files_private
from rag.settings import Settings, load_settings
from rag.terminal import exit_code_of, fail, print_json, run_command, terminal_language, warn_root
from rag.translate import translate

DEFAULT_PORT = 8600
_ANY_FREE_PORT = 0
_EXAMPLES = """examples  示例:
  python -m api                                        serve on this machine, port 8600  在本机提供服务
  python -m api --host 0.0.0.0 --name desk.example     for the team; callers need keys  供团队使用，需要密钥
  python -m api --grpc-port 8601                       gRPC beside it  同时提供 gRPC
  python -m api mcp                                    MCP over stdin and stdout  通过标准输入输出提供 MCP
  python -m api keys add shop --right ask --kb shop    a key for another program  为其他程序创建密钥
  python -m api openapi > openapi.json                 the description of every route  导出接口描述

  curl -s localhost:8600/api/v1/ask -H 'Content-Type: application/json' -d '{"question": "How long is the warranty?"}'
"""
_MCP_EXAMPLE = """example, in the settings of an assistant, which starts it itself  示例（写入助手的配置，由其启动）:
  {"mcpServers": {"answerdesk": {
      "command": "/path/to/answerdesk/.venv/bin/python", "args": ["-m", "api", "mcp"],
      "env": {"ANSWERDESK_DATA_DIR": "/path/to/answerdesk/data/runtime", "ANSWERDESK_API_KEY": "ad_..."}}}}
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command and return the exit code; an error is one sentence on standard error."""
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["keys"]:
        from api.key_commands import main as keys

        return keys(arguments[1:])
    if arguments[:1] == ["openapi"]:
        return _describe(arguments[1:])
    if arguments[:1] == ["mcp"]:
        return _speak_mcp(arguments[1:])
    return _serve(_parser().parse_args(arguments))


def _describe(arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(
        prog="python -m api openapi",
        description="Print the OpenAPI description of every route as JSON.  以 JSON 输出所有接口的 OpenAPI 描述。",
    ).parse_args(arguments)
    from api.application import api_application, openapi_description
    from api.services.shared import SharedServices

    def no_services() -> SharedServices:
        raise AssertionError("a description asks nothing")

    application = api_application(no_services, load_settings(), lambda host: False)
    print_json(openapi_description(application), indent=2)
    return 0


def _serve(options: argparse.Namespace) -> int:
    from api.application import serve  # FastAPI takes half a second to import
    from api.databases import require_databases

    settings = load_settings()
    grpc = _grpc_address(options)
    require_databases(settings)
    require_sign_in(settings, options.host)
    require_free(options.host, options.port, "--port 8610")
    _begin_service()
    if is_open_unencrypted(settings, options.host):
        print(translate("api.plain_http", terminal_language()), file=sys.stderr)
    started = _start_ollama(settings)
    names = own_names(options.host, [*options.name, *settings.desk_names()])

    def announce() -> None:
        address = f"http://localhost:{options.port}"
        print(translate("api.serving", terminal_language(), address=address), flush=True)
        if grpc is not None:
            print(translate("api.serving_grpc", terminal_language(), address=f"localhost:{grpc.port}"), flush=True)

    try:
        serve(settings, options.host, options.port, names, announce, grpc)
    finally:
        if started:
            stop(settings)
    return 0


def _grpc_address(options: argparse.Namespace) -> GrpcAddress | None:
    if options.grpc_port is None:
        return None
    address = GrpcAddress(options.host, options.grpc_port, options.grpc_certificate, options.grpc_key)
    address.require_usable()
    if options.grpc_port == options.port != _ANY_FREE_PORT:
        raise PortTwice(port=options.port, another=ANOTHER_GRPC_PORT)
    require_free(options.host, options.grpc_port, ANOTHER_GRPC_PORT)
    return address


def _speak_mcp(arguments: Sequence[str]) -> int:
    """Serve MCP over standard input and output, where nothing else may be written meanwhile."""
    parser = argparse.ArgumentParser(
        prog="python -m api mcp",
        description="Serve MCP over stdin and stdout.  通过标准输入输出提供 MCP。",
        epilog=_MCP_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args(arguments)
    if find_spec("mcp") is None:
        raise ExtraMissing(what="MCP", extra="mcp")
    from api.databases import require_databases
    from api.mcp.server import speak
    from api.services.start import open_services

    settings = load_settings()
    require_databases(settings)
    _begin_service()
    with redirect_stdout(sys.stderr):
        started = _start_ollama(settings)
    try:
        speak(lambda: open_services(settings), settings)
    finally:
        if started:
            stop(settings)
    return 0


def _begin_service() -> None:
    from rag.unforeseen_errors import strip_messages_from_logs

    strip_messages_from_logs()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager ends it as Ctrl-C does
    warn_root()


def _start_ollama(settings: Settings) -> bool:
    """Return whether this process started a model server, which ends with it; search works without one."""
    try:
        return ensure_running(settings, while_we_live=True).managed
    except ServingError as error:
        fail(error)
        return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="Serve answers to other programs.  向其他程序提供答案。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="default 8600  默认 8600")
    parser.add_argument("--host", default=THIS_MACHINE, help="where to listen; default only this machine  监听地址")
    parser.add_argument("--name", action="append", default=[], help="a name it is reached under  访问时使用的主机名")
    parser.add_argument("--grpc-port", type=int, help="serve gRPC there too, as in 8601  同时在此端口提供 gRPC")
    parser.add_argument("--grpc-certificate", type=Path, metavar="FILE", help="PEM, for other machines  证书文件")
    parser.add_argument("--grpc-key", type=Path, metavar="FILE", help="its private key  证书私钥文件")
    return parser


if __name__ == "__main__":
    keep_files_private()
    exit_code = exit_code_of(lambda: main(sys.argv[1:]))
    # All is closed. A thread that still loads the embedder when Python winds up would make its native library abort.
    os._exit(exit_code)
