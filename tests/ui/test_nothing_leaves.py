"""Nothing leaves the machine, and nothing is written outside of the data and cache folders: the real product, one day.

``make run`` with everything provided, an ingest with a picture, the terminal's question and retrieval, a day on the
desk, and the API.  Chromium asks its makers for much by itself, so it stays outside, and only what the pages ask for is
watched.

A checkout without an environment of its own (``.venv``) would have one installed by ``make run``, from the network; of
that only ``python -m ui`` is run, in the tests' own environment.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, expect

from rag.settings import load_settings
from tests.conftest import REAL_MODEL
from tests.outgoing import CHECKOUT, Attempts, WatchedNetwork, namespaces_are_given, watched_network
from tests.ui.browser import Desk
from tests.ui.conftest import wait_until_up
from ui.navigation import PAGES

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]
A_SLOW_MACHINES_SEARCH_MS = 120_000
A_BUSY_MACHINES_INGEST_SECONDS = 600
"""An ingest runs where nobody else wants the processor (``rag/priority.py``), and other tests do."""
QUESTION = "How long do I have to return an item?"
SEARCHED = "grandmother"
UNANSWERABLE = "Who won the football world cup in 1998?"  # refused at once: no model need be waited for
NOT_THE_PRODUCTS = {"__pycache__", ".git", ".pytest_cache", ".hypothesis", ".mypy_cache", ".ruff_cache"}
MAIL = b"From: ann@shop.example\nSubject: Return\n\nHow long do I have to return a kettle?\n"


@dataclass
class Day:
    """What was tried after each step, what the pages asked for, and what was written where nothing should be."""

    isolated: bool
    steps: dict[str, Attempts] = field(default_factory=dict)
    asked_hosts: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    log: str = ""

    def note(self, url: str) -> None:
        """Note whom a page asks; what it holds itself (data:, blob:) is nobody."""
        host = urlsplit(url).netloc
        if host:
            self.asked_hosts.add(host)


class Workplace:
    """Empty folders for a user's home, temporary files and the current folder; data of its own, the shared cache."""

    def __init__(self, folder: Path, network: WatchedNetwork) -> None:
        self.network = network
        self.folder = folder
        self.data = folder / "data"
        self.bare = [folder / name for name in ("home", "temporary", "elsewhere")]
        for bare in self.bare:
            bare.mkdir(exist_ok=True)
        self.environment = network.environment(
            {
                "HOME": str(self.bare[0]),
                "TMPDIR": str(self.bare[1]),
                "ANSWERDESK_DATA_DIR": str(self.data),
                "ANSWERDESK_CACHE_DIR": str(load_settings().cache_dir),
                "ANSWERDESK_MODEL": REAL_MODEL,
                "ANSWERDESK_READING_TIMEOUT_SECONDS": str(A_BUSY_MACHINES_INGEST_SECONDS),
                "ANSWERDESK_THINKING": "off",
                "ANSWERDESK_ANSWER_BUDGET_TOKENS": "24",
                "ANSWERDESK_PROMPT_EVIDENCE_TOKENS": "32",
                "ANSWERDESK_PARALLEL_SLOTS": "1",
                "ANSWERDESK_MODEL_THREADS": "1",
                "ANSWERDESK_FIRST_TOKEN_TIMEOUT_SECONDS": "300",
                "ANSWERDESK_TOKEN_TIMEOUT_SECONDS": "300",
                "OLLAMA_HOST": f"127.0.0.1:{_free_port_beside(network.port)}",
            }
        )

    def run(self, *command: str) -> str:
        """Run a command of the product to its end, from an empty folder."""
        done = subprocess.run(
            self.network.command([sys.executable, "-m", *command]), cwd=self.bare[2], env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=A_BUSY_MACHINES_INGEST_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def desk(self) -> Iterator[str]:
        """Do what ``make run`` does; yield the desk's address, as the browser outside reaches it."""
        command = [sys.executable, "-m", "ui", "--port", str(self.network.port), "--no-browser"]
        if (CHECKOUT / ".venv" / "answerdesk.stamp").exists():
            command = ["make", "-C", str(CHECKOUT), "run", f"PORT={self.network.port}", f"PYTHON={sys.executable}"]
        with self._served(command, self.folder / "desk.log", "/_stcore/health") as address:
            yield address

    @contextmanager
    def api(self) -> Iterator[str]:
        """Serve the API, gRPC beside it; yield its address, as programs outside reach it."""
        grpc_port = str(_free_port_beside(self.network.port + 1))
        command = [sys.executable, "-m", "api", "--port", str(self.network.port), "--grpc-port", grpc_port]
        with self._served(command, self.folder / "api.log", "/healthz") as address:
            yield address

    @contextmanager
    def _served(self, command: Sequence[str], log: Path, health: str) -> Iterator[str]:
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.network.command(command), cwd=self.bare[2], env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            address = f"http://127.0.0.1:{self.network.port}"
            wait_until_up(address, process, log, seconds=A_BUSY_MACHINES_INGEST_SECONDS, health=health)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)  # which make passes on; Ctrl-C reaches a terminal's whole group
            process.wait(timeout=60)

    def written(self) -> list[str]:
        """Return what lies in the folders that were empty."""
        return sorted(str(path.relative_to(self.folder)) for bare in self.bare for path in bare.rglob("*"))


class Checkout:
    """The files of the checkout, but for what Python, git and the tests themselves keep there."""

    def __init__(self) -> None:
        in_use = CHECKOUT / "data" / "runtime"  # the folder of somebody's own desk, which may be running
        self._left_out = {CHECKOUT / "tests" / "output", *([in_use] if in_use.exists() else [])}
        self._before = self._files()

    def changed(self) -> list[str]:
        """Return what was written, changed or deleted since this was made."""
        return sorted(path for path, _ in self._before.items() ^ self._files().items())

    def _files(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for folder, folders, names in os.walk(CHECKOUT):
            here = Path(folder)
            folders[:] = [one for one in folders if one not in NOT_THE_PRODUCTS and here / one not in self._left_out]
            for name in names:
                state = (here / name).lstat()
                found[str((here / name).relative_to(CHECKOUT))] = (state.st_size, state.st_mtime_ns)
        return found


def _free_port_beside(taken: int) -> int:
    return taken + 1 if taken < 65_535 else taken - 1


@pytest.fixture(scope="module")
def day(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder: Path = tmp_path_factory.mktemp("day")
    checkout = Checkout()
    with watched_network(folder) as network:
        place = Workplace(folder, network)
        record = Day(network.isolated)

        def note(step: str) -> None:
            record.steps[step] = network.attempts()

        with place.desk() as address:
            note("make run")
            place.run("ingest", *_documents(folder / "documents"), "--kb", "shop")
            note("ingest")
            place.run("eval", "retrieval", *_questions(folder))
            note("eval retrieval")
            assert place.run("rag", "ask", "--no-think", UNANSWERABLE)
            note("rag ask")
            _work_a_day(browser, address, record)
            note("the desk")
        note("its end")
        place.run("api", "openapi")
        place.run("api", "mcp")
        with place.api() as address:
            _ask_the_api(address)
        record.log = (folder / "api.log").read_text("utf-8")
        note("the API")
        record.written = [*place.written(), *checkout.changed()]
    yield record


def _documents(folder: Path) -> Sequence[str]:
    folder.mkdir()
    (folder / "rule.md").write_text("# Kettles\n\nKettles can be returned within 40 days.\n", encoding="utf-8")
    picture = Image.new("RGB", (600, 120), "white")
    ImageDraw.Draw(picture).text((20, 30), "Kettles weigh 900 g", fill="black", font_size=40)
    picture.save(folder / "label.png")  # its words are read by RapidOCR, which imports OpenVINO in another process
    return [str(folder)]


def _questions(folder: Path) -> Sequence[str]:
    corpus, questions = folder / "corpus.jsonl", folder / "questions.jsonl"
    article = {"id": "a", "title": "Kettles", "text": "Kettles weigh 900 g."}
    question = {"id": "q", "question": "What does a kettle weigh?", "lang": "en", "answerable": True, "relevant": ["a"]}
    corpus.write_text(json.dumps(article) + "\n")
    questions.write_text(json.dumps(question) + "\n")
    return ["--corpus", str(corpus), "--questions", str(questions)]


def _ask_the_api(address: str) -> None:
    """Ask what a program asks: documents, with a word in the address, models, passages, and what is unanswerable."""
    with httpx.Client(base_url=address, timeout=A_SLOW_MACHINES_SEARCH_MS / 1000) as http:
        for path in (f"/api/v1/knowledge-bases/default/documents?containing={SEARCHED}", "/v1/models", "/metrics"):
            assert http.get(path).status_code == 200, path
        assert http.post("/api/v1/retrieve", json={"question": QUESTION}).json()["evidence"]
        messages = [{"role": "user", "content": UNANSWERABLE}]
        asked = http.post("/v1/chat/completions", json={"model": "answerdesk/default", "messages": messages})
        assert asked.status_code == 200, asked.text


def _work_a_day(browser: Browser, address: str, record: Day) -> None:
    """Ask, drop a mail into the box, hand a file in, and look at every page."""
    desk = Desk.open(browser, address, "en")
    page = desk.page
    page.context.on("request", lambda request: record.note(request.url))
    page.on("websocket", lambda socket: record.note(socket.url))
    page.reload()
    desk.settled()
    desk.ask(QUESTION)
    expect(desk.evidence).to_have_attribute("data-passages", re.compile("[1-9]"), timeout=A_SLOW_MACHINES_SEARCH_MS)
    page.goto(address)  # the model goes on writing: it was asked, and its answer is another test's matter
    desk.settled()
    mail = {"name": "return.eml", "mimeType": "message/rfc822", "buffer": MAIL}
    page.locator(".st-key-question input[type=file]").set_input_files([mail])  # type: ignore[list-item]
    expect(page.locator("[data-testid=stFileChip]")).to_be_visible()
    page.locator("[data-testid=stChatInputSubmitButton]").click()
    expect(page.locator(".view[data-turn-state]")).to_be_visible(timeout=60_000)
    for entry in PAGES[1:]:
        page.goto(f"{address}/{entry.key}")
        desk.settled()
    page.goto(f"{address}/knowledge?view=update")
    desk.settled()
    page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(
        [{"name": "new.md", "mimeType": "text/markdown", "buffer": b"# New\n\nA new article."}]
    )
    expect(page.locator(".st-key-kb_waiting .title", has_text="new.md")).to_be_visible()
    page.context.close()


def test_no_step_tries_to_reach_another_machine(day: Day) -> None:
    if not day.isolated:
        assert not namespaces_are_given()
        print("this kernel gives users no network of their own: only the proxy and the audit hook watched")  # noqa: T201
    assert list(day.steps) == ["make run", "ingest", "eval retrieval", "rag ask", "the desk", "its end", "the API"]
    assert {step: tried for step, tried in day.steps.items() if not tried.none} == {}


def test_the_pages_ask_nobody_but_the_desk(day: Day) -> None:
    assert len(day.asked_hosts) == 1 and next(iter(day.asked_hosts)).startswith("127.0.0.1:"), day.asked_hosts


def test_nothing_is_written_outside_of_the_data_and_cache_folders(day: Day) -> None:
    assert day.written == []


def test_no_word_of_a_customer_stands_in_the_apis_log(day: Day) -> None:
    assert "/openapi.json" in day.log, "it said where it answers"
    assert not [word for word in (SEARCHED, QUESTION, UNANSWERABLE) if word in day.log]
