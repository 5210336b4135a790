"""A desk of its own for one measurement: ``python -m ui`` over the same knowledge base, with its own turns."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from rag.errors import SettingsError
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.translate import translate

_CHECKOUT = Path(__file__).resolve().parents[3]
_READY_SECONDS = 300.0
_END_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class DeskProcess:
    """Where the desk is, and the process that serves it."""

    address: str
    process_id: int


@contextmanager
def desk_process(folder: Path, knowledge: Path, settings: Settings, *, think: bool | None) -> Iterator[DeskProcess]:
    """Serve a desk over the knowledge base in ``knowledge`` until the block is left; ``folder`` is its data folder.

    Raises ``SettingsError`` naming its log where it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "knowledge").symlink_to(knowledge.parent, target_is_directory=True)
    port, log = _free_port(), folder / "desk.log"
    thinking = {None: settings.thinking, True: "on", False: "off"}[think]
    environment = {
        **os.environ,
        "ANSWERDESK_DATA_DIR": str(folder),
        "ANSWERDESK_KNOWLEDGE_BASE": knowledge.name,
        "ANSWERDESK_OLLAMA_HOSTS": settings.ollama_host,
        "ANSWERDESK_MODEL": settings.model,
        "ANSWERDESK_THINKING": thinking,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ui", "--port", str(port), "--no-browser"],
            cwd=_CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: the questions under way are ended first
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_up(address, process, log)
        yield DeskProcess(address, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_up(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    opener = build_opener(ProxyHandler({}))
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with opener.open(f"{address}/_stcore/health", timeout=_READY_SECONDS):
                return
        except (URLError, OSError):
            time.sleep(_LOOK_EVERY_SECONDS)  # it does not listen yet
    raise SettingsError(reason=translate("bench_load.no_desk", terminal_language(), log=log))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
