"""``python -m ui``: from whatever is on this machine to an open desk.

Ollama, a model, the embedder and a knowledge base are provided where they are missing; where they are here, the desk is
up in seconds and nothing touches the network.
"""

from rag.interruption import end_at_interrupt

if __name__ == "__main__":
    end_at_interrupt()  # before the imports, which take seconds

import argparse
import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from api.addresses import THIS_MACHINE, is_open_unencrypted, own_names, require_free, require_sign_in
from rag.errors import KnowledgeError, ServingError, SettingsError
from rag.ollama.server import ensure_running, stop
from rag.priority import DESK_NICE, at_priority
from rag.private_files import keep_files_private
from rag.settings import LOOPBACKS, Settings, load_settings
from rag.setup.console import Console, Outcome
from rag.setup.steps import provide
from rag.terminal import exit_code_of, fail, run_command, terminal_language

_DEFAULT_PORT = 8501
_READY_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.1


def prepare(settings: Settings, console: Console) -> bool:
    """Provide all that the desk needs, and return whether an Ollama was started that ends with this process.

    A desk whose model server does not start still finds and shows evidence, so that failure is said and does not end
    it.  Raises ``ProvisioningError`` or ``KnowledgeError``.
    """
    provide(settings, console, ["ollama"])
    started = _start_ollama(settings, console)
    try:
        provide(settings, console, ["model"])
    except ServingError as error:
        fail(error)
    provide(settings, console, ["embedder"])
    from ui import sample  # brings the embedder's libraries, which the steps before do not need

    console.step(lambda: sample.provide_sample(settings, console))
    if sample.needs_first_runs(settings):
        try:
            console.step(lambda: sample.measure_first_runs(settings, console))
        except (KnowledgeError, SettingsError) as error:  # the desk answers without
            fail(error)
    return started


def _start_ollama(settings: Settings, console: Console) -> bool:
    def start() -> Outcome:
        server = ensure_running(settings, while_we_live=True)
        return Outcome(console.words("server"), "started" if server.managed else "adopted", {"url": server.url})

    if len(settings.ollama_urls) > 1:
        from rag.cli.hosts import left_out_lines  # brings numpy, with the line before the hosts

        for line in left_out_lines(settings, console.language):
            print(f"  {line}")
    try:
        return console.step(start).way == "started"
    except ServingError as error:
        fail(error)
        return False


def serve(
    port: int,
    console: Console,
    *,
    browser: bool,
    host: str = THIS_MACHINE,
    names: Sequence[str] = (),
    api: bool = False,
) -> None:
    """Serve the desk until it is stopped; its address is printed when the first page can be had.

    ``host`` is where it listens, ``names`` what it is reached under besides this machine's own names.  With ``api``
    other programs are answered at the same address.
    """
    from rag.unforeseen_errors import strip_messages_from_logs
    from ui.server import (
        DeskApplication,  # Streamlit takes a second to import
        desk_configuration,
    )

    strip_messages_from_logs()
    started_at = time.monotonic()
    announcer = threading.Thread(target=_announce, args=(host, port, console, started_at, browser), daemon=True)
    announcer.start()
    own = {
        "server.address": host,
        "server.port": port,
        "server.allowedHosts": own_names(host, names),
        "server.maxUploadSize": load_settings().document_limit_megabytes,
    }
    with at_priority(DESK_NICE):
        DeskApplication(api=api).run(config=desk_configuration(own))


def _metrics(settings: Settings) -> AbstractContextManager[None]:
    if not settings.metrics_port:
        return nullcontext()
    from rag.metrics import serve_metrics  # brings the Prometheus client, for those who ask for it

    return serve_metrics(settings)


def _announce(host: str, port: int, console: Console, started_at: float, browser: bool) -> None:
    address = f"http://localhost:{port}"
    looked_at = THIS_MACHINE if host in ("0.0.0.0", "::", *LOOPBACKS) else host
    opener = build_opener(ProxyHandler({}))
    while time.monotonic() - started_at < _READY_SECONDS:
        try:
            with opener.open(f"http://{looked_at}:{port}/_stcore/health", timeout=_READY_SECONDS):
                break
        except (URLError, OSError):
            time.sleep(_LOOK_EVERY_SECONDS)  # it does not listen yet
    console.note("serving", address=address)
    _warn_of_plain_http(host, console)
    _announce_first_admin(address, console)
    if browser:
        webbrowser.open(address)


def _warn_of_plain_http(host: str, console: Console) -> None:
    if is_open_unencrypted(load_settings(), host):
        console.note("plain_http")


def _announce_first_admin(address: str, console: Console) -> None:
    from ui.session import shared_services  # the server has made them by now

    people = shared_services().people
    if people.required() and people.first_admin.is_wanted():
        console.note("first_admin", address=address, code=people.first_admin.code)


def _has_display() -> bool:
    """Tell whether this machine has a display: a browser that opens elsewhere helps nobody."""
    if "SSH_CONNECTION" in os.environ or not sys.stdout.isatty():
        return False
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


_EXAMPLES = """examples  示例:
  python -m ui                                       on this machine, port 8501  在本机打开
  python -m ui --address 0.0.0.0 --port 80           for the team; people sign in  供团队使用，需要登录
  python -m ui --api --no-browser                    other programs are answered as well  同时提供 API
  ANSWERDESK_MODEL=deepseek-r1:7b python -m ui       with another model  使用其他模型
  OLLAMA_HOST=10.0.0.5:11434 python -m ui            with a model server that runs already  使用已有的模型服务
  python -m ui people add ann --role lead            who may sign in  谁可以登录

Ctrl-C ends the desk.  按 Ctrl-C 停止。"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ui",
        description="Open the support desk, and bring what it needs.  打开客服工作台，并准备所需的一切。",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, metavar="N", help="default 8501  端口，默认 8501")
    parser.add_argument(
        "--address",
        default=THIS_MACHINE,
        metavar="IP",
        help="where to listen; default this machine only  监听地址，默认仅本机",
    )
    parser.add_argument("--api", action="store_true", help="answer other programs as well  同时向其他程序提供 API")
    parser.add_argument("--no-browser", action="store_true", help="only print the address  只显示地址，不打开浏览器")
    return parser


def _people(arguments: Sequence[str]) -> int:
    from ui.people_commands import main as people_main

    return run_command(lambda: people_main(arguments))


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the desk and return the exit code when it has ended; ``people ...`` is a command of its own."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["people"]:
        return _people(words[1:])
    options = _parser().parse_args(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager ends it as Ctrl-C does
    return run_command(lambda: _open_desk(options))


def _open_desk(options: argparse.Namespace) -> None:
    """Provide what is missing, and serve until somebody ends it."""
    from api.databases import require_databases  # brings numpy, with the turns, which --help does not need

    console = Console(terminal_language())
    settings = load_settings()
    require_databases(settings, api=options.api)
    require_sign_in(settings, options.address)
    require_free(options.address, options.port, "make run PORT=8502")
    console.warn_root()
    started = prepare(settings, console)
    try:
        with _metrics(settings):
            browser = _has_display() and not options.no_browser
            names = settings.desk_names()
            serve(options.port, console, browser=browser, host=options.address, names=names, api=options.api)
    finally:
        if started:
            stop(settings)


if __name__ == "__main__":
    keep_files_private()
    exit_code = exit_code_of(main)
    # All is closed. A thread that still loads the embedder when Python winds up would make its native library abort.
    os._exit(exit_code)
