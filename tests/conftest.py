"""What every run of tests shares: which files it reads, examples, free ports, and the real model server."""

import gc
import itertools
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from rag.ollama.models import find_installed, installed_models
from rag.ollama.server import ServerStatus, ensure_running, stop
from rag.settings import Settings
from tests.support.places import Places

if TYPE_CHECKING:
    from tests.support.milvus_server import MilvusServer
    from tests.support.postgres_server import PostgresServer
    from tests.support.s3_server import S3Server

REAL_MODEL = "stand-in:0.5b"
ONE_THREAD = {"num_thread": 1}
"""An option for Ollama: with a thread on each core a model waits, at each step, for the one whose core is taken."""

# No deadlines: on a busy machine they measure the others.  The gate draws the same examples every time, so that what it
# says of a commit stays true, and the night draws four times as many; `make test-fast` draws few, and others each time,
# for what both miss.
hypothesis_settings.register_profile("fast", deadline=None, max_examples=25)
hypothesis_settings.register_profile("commit", deadline=None, max_examples=50, derandomize=True)
hypothesis_settings.register_profile("night", deadline=None, max_examples=200, derandomize=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

MEMORY = Path("/dev/shm")  # Linux's disk in memory
MEMORY_NEEDED_BYTES = 2**30

CHOSEN_BY = ("real", "slow", "nightly")
"""The markers by which a run chooses its tests."""
_WRITTEN = {name: rf"\bmark\.{name}\b" for name in CHOSEN_BY} | {
    "nightly": r"\bmark\.nightly\b|\bby_day\(",
    "real": r"\bmark\.real\b|: Places\b",
}
"""How a file says that it marks tests so: ``by_day`` leaves some for the night, ``places`` adds a server."""

LONG_FILES = (
    "ui/test_nothing_leaves.py",
    "rag/test_main_real.py",
    "ui/test_real_desk.py",
    "ui/views/knowledge/test_states.py",
    "ui/test_browser.py",
    "ui/test_people_browser.py",
    "ui/test_every_page.py",
    "api/test_description.py",
    "ui/views/models/test_states.py",
    "eval/calibrate_model/test_calibration_real.py",
    "ingest/test_workers.py",
    "ui/test_kept_answers.py",
    "ui/test_states.py",
    "ui/views/quality/test_states.py",
    "ui/test_request_guard_real.py",
    "ui/views/desk/test_rewriting_browser.py",
    "ui/test_hostile_names.py",
    "rag/ollama/test_model_creation_real.py",
    "eval/test_main_real.py",
    "ingest/test_real.py",
    "ui/test_balancer.py",
    "ui/test_performance_browser.py",
    "rag/queue/test_queue_server.py",
    "rag/retrieval/test_embedder.py",
    "ingest/test_job.py",
    "ingest/test_embedding_model_change.py",
    "rag/retrieval/test_engine_generations.py",
    "eval/train/test_tuning_real.py",
)
"""The files that take some 20 seconds or more beside two others, about the longest first."""

# Below the ports that Linux gives to outgoing connections (32768 on): between the moment a port is found free and the
# moment a server listens on it, no browser and no client can be given it.  Each worker has a thousand of its own.
_FIRST_PORT, _PORTS_A_WORKER, _MOST_WORKERS = 20_000, 1000, 12
_numbers = itertools.count(os.getpid())


def pytest_configure(config: pytest.Config) -> None:
    """Keep the folders of tests in memory: each commit of a database would wait for the disk, which others use too.

    Tests marked ``real`` have a real disk, and so has every run that takes them along.
    """
    # what a model wrote is compared word by word; the tests of the quotation below it turn it on
    os.environ.setdefault("ANSWERDESK_QUOTE_BELOW_REPLY", "false")
    os.environ.setdefault("OLLAMA_NOPRUNE", "1")  # a server that starts would take away what another one is creating
    gc.disable()  # until all tests are collected: what is imported stays
    there_is_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED_BYTES
    if "not real" in config.option.markexpr and there_is_room:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file of tests that ``-m`` leaves out as a whole: of a run of few tests, imports take most."""
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    return True if is_left_out(_source(collection_path), config.option.markexpr) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marker stands in the test's own file, where ``is_left_out`` looks for it."""
    source = _source(item.path)
    hidden = [name for name in CHOSEN_BY if item.get_closest_marker(name) and not re.search(_WRITTEN[name], source)]
    if hidden:
        raise pytest.UsageError(f"{item.nodeid}: write pytest.mark.{hidden[0]} into the test's own file")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files: a worker that came to one at the end would keep the others waiting."""
    turns = {Path(__file__).parent / name: turn for turn, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: turns.get(item.path, len(turns)))


def pytest_collection_finish() -> None:
    """Spare each test what looks at everything that was imported: garbage collections, and pytest's capture of logs.

    A full collection took half a second, and to each logger that does not propagate, as Streamlit's 66, pytest adds two
    handlers at each phase of each test.
    """
    gc.freeze()
    gc.enable()
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("streamlit.") and isinstance(logger, logging.Logger):
            logger.propagate = True


@cache
def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def is_left_out(source: str, chosen: str) -> bool:
    """Tell whether ``-m chosen`` takes no test of a file; ``chosen`` joins markers, or "not" and a marker, by "and".

    Of other expressions nothing is known, and the answer is False.
    """
    conditions = chosen.split(" and ")
    whole = re.search(r"^pytestmark = .*", source, re.MULTILINE)
    for name in CHOSEN_BY:
        marks_all = whole is not None and re.search(rf"\bmark\.{name}\b", whole[0]) is not None
        if f"not {name}" in conditions and marks_all:
            return True
        if name in conditions and not re.search(_WRITTEN[name], source):
            return True
    return False


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all workers of this run share."""
    own: Path = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[PostgresServer]":
    """Start a PostgreSQL server for the tests of this process, and remove it at the end."""
    from tests.support.postgres_server import PostgresServer

    server = PostgresServer(free_port())
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def s3_server() -> "Iterator[S3Server]":
    """Start a mock of S3 for the tests of this process, whose keys are the only ones that boto3 finds."""
    from tests.support.s3_server import S3Server, only_these_keys

    with only_these_keys():
        server = S3Server(free_port())
        try:
            yield server
        finally:
            server.close()


@pytest.fixture
def own_postgres() -> "Iterator[PostgresServer]":
    """Start a PostgreSQL server that the test may stop, restart and freeze."""
    from rag.storage.postgres import pool_of
    from tests.support.postgres_server import PostgresServer

    server = PostgresServer(free_port(), fsync=True)
    try:
        server.start()
        yield server
    finally:
        pool_of(server.url()).close()
        server.freeze(frozen=False)
        server.remove()


@pytest.fixture(scope="session")
def milvus_server() -> "Iterator[MilvusServer]":
    """Start a server that speaks Milvus's wire for the tests of this process, and remove it at the end."""
    from tests.support.milvus_server import MilvusServer

    server = MilvusServer(free_port())
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["files", pytest.param("server", marks=pytest.mark.real)])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    """Let a test's databases lie in files, and in another run of it on a server."""
    if request.param == "files":
        return Places(tmp_path)
    on_server: Places = request.getfixturevalue("server_places")
    return on_server


@pytest.fixture
def server_places(postgres_server: "PostgresServer", tmp_path: Path) -> "Iterator[Places]":
    """Let a test's databases lie on a server."""
    from rag.storage.postgres import pool_of

    places = Places(tmp_path, postgres_server.make_room())
    yield places
    pool_of(places.url).close()


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let passwords be hashed by the real Argon2id, with as little memory as it takes."""
    from rag.people import passwords

    monkeypatch.setattr(passwords, "_hasher", passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._dummy_hash.cache_clear()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now, and that this process has not returned lately."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _MOST_WORKERS
    for number in itertools.islice(_numbers, _PORTS_A_WORKER):
        port = _FIRST_PORT + worker * _PORTS_A_WORKER + number % _PORTS_A_WORKER
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@pytest.fixture(scope="session")
def real_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a data folder and a port of their own, the shared caches, and the small stand-in."""
    data_dir: Path = tmp_path_factory.mktemp("data")
    return Settings(data_dir=data_dir, ollama_host=f"127.0.0.1:{free_port()}", model=REAL_MODEL, model_threads=1)


@pytest.fixture(scope="session")
def real_ollama(real_settings: Settings) -> Iterator[ServerStatus]:
    """Start the real Ollama, managed by the product itself, and stop it at the end."""
    server = ensure_running(real_settings, while_we_live=True)
    assert server.managed, f"{real_settings.ollama_url} answered before the test started it"
    try:
        assert find_installed(installed_models(real_settings), REAL_MODEL), (
            f"{REAL_MODEL} is missing; fetch it with: python -m rag.setup model {REAL_MODEL}"
        )
        yield server
    finally:
        stop(real_settings)
