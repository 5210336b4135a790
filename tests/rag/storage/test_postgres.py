"""What desks share lies on a real PostgreSQL server: two processes at once, kills, and a server that goes away."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import AnswerCancelled, DatabaseUnavailable, KnowledgeBaseNewer, LastAdmin, SettingsError
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.people.sign_ins import SignIns
from rag.settings import ServerDatabase, Settings
from rag.storage import postgres
from rag.storage.access import User
from rag.storage.connection import SharedMigration
from rag.storage.migrations import TURN_MIGRATIONS
from rag.storage.postgres import TABLES, PostgresDatabase, pool_of
from rag.storage.turn_store import TurnStore
from rag.turns import TurnService
from rag.turns.service import AnswerPipeline, TurnRequest
from tests.conftest import free_port
from tests.support.places import Places
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import until

pytestmark = pytest.mark.real

NOBODY_WAITS_LONGER_SECONDS = 10.0


ON_SERVERS_ALONE = ("knowledge", "embedding")  # no file has these


def run(places: Places, program: str) -> "subprocess.Popen[str]":
    """Start another desk's process: a program with ``turns`` and ``people``, whose output is read."""
    head = (
        "import os, sys\nfrom dataclasses import replace\nfrom pathlib import Path\nfrom rag.settings import Settings\n"
        "from rag.storage.turn_store import TurnStore\nfrom rag.people.directory import People\n"
        "from rag.people.sign_ins import SignIns\nsettings = Settings()\n"
        "turns, people = TurnStore(settings.turns_database), People(settings.people_database)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + program],
        env=places.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def output_of(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate("\n", timeout=120)
    assert process.returncode == 0
    return output.strip()


@pytest.mark.parametrize("name", [name for name in TABLES if name not in ON_SERVERS_ALONE])
def test_every_table_is_known(server_places: Places, name: str) -> None:
    from api.idempotency import MIGRATIONS
    from rag.queue.queue_tables import QUEUE_MIGRATIONS
    from rag.storage.curated import ANSWER_MIGRATIONS
    from rag.storage.migrations import PEOPLE_MIGRATIONS
    from rag.storage.regression import QUESTION_MIGRATIONS

    lists: dict[str, tuple[SharedMigration, ...]] = {
        "people": PEOPLE_MIGRATIONS, "turns": TURN_MIGRATIONS, "requests": MIGRATIONS, "queue": QUEUE_MIGRATIONS,
        "answers": ANSWER_MIGRATIONS, "questions": QUESTION_MIGRATIONS,
    }  # fmt: skip
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in lists[name]:
            migration(connection)
        made = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        assert {row[0] for row in made} == set(TABLES[name])


def test_a_turn_and_a_sign_in_of_one_desk_are_the_others_too(server_places: Places) -> None:
    people = People(server_places("people"))
    people.add("Lin", "admin", None, "", by="test")
    sign_ins = SignIns(server_places("people"), 12)
    signed_in = sign_ins.begin_for("lin")
    other = run(
        server_places,
        f"print(SignIns(settings.people_database, 12).user({signed_in.token!r}).name)\n"
        "print(turns.add('保修多久？', session='s', language='zh').turn_id, flush=True)\nsys.stdin.readline()\n",
    )
    assert other.stdout is not None
    assert other.stdout.readline().strip() == "Lin"
    turn_id = other.stdout.readline().strip()
    turns = TurnStore(server_places("turns"))
    turn = turns.get(turn_id)
    assert (turn.question, turn.state) == ("保修多久？", "queued"), "its desk lives: it is not taken for abandoned"
    people.set_disabled("Lin", False, by="test")
    sign_ins.user(signed_in.token)
    people.sign_out_everywhere("Lin", by="test")
    output_of(other)
    assert TurnStore(server_places("turns")).get(turn_id).state == "failed", "its desk has died"
    assert "SignInNeeded" in output_of(
        run(
            server_places,
            "try:\n    SignIns(settings.people_database, 12).user('x')\n"
            "except Exception as error: print(type(error).__name__)\n",
        )
    )


def test_two_writers_at_once_leave_an_admin_and_every_change_in_the_record(server_places: Places) -> None:
    people = People(server_places("people"))
    for name in ("ann", "bob"):
        people.add(name, "admin", None, "", by="test")
    program = (
        "from rag.errors import LastAdmin\nsys.stdin.readline()\ncount = 0\n"
        "for _ in range(40):\n"
        "    for role in ('lead', 'admin'):\n"
        "        try:\n            people.set_role({name!r}, role, by={name!r})\n            count += 1\n"
        "        except LastAdmin:\n            pass\n"
        "    assert people.has_admin()\n"
        "print(count)\n"
    )
    desks = [run(server_places, program.format(name=name)) for name in ("ann", "bob")]
    changed = [0, 0]

    def read(number: int) -> None:
        changed[number] = int(output_of(desks[number]))

    threads = [threading.Thread(target=read, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(changed) >= 80
    with AuditTrail(server_places("people")) as trail:
        entries = trail.entries(1000)
    assert len(entries) == 2 + sum(changed)
    assert [one.at for one in entries] == sorted((one.at for one in entries), reverse=True), "numbers follow the times"
    admins = {"ann", "bob"}
    for entry in reversed(entries[:-2]):
        admins = admins | {entry.about} if entry.details["role"] == "admin" else admins - {entry.about}
        assert admins, "there was a moment without an admin"
    with suppress(LastAdmin):
        people.set_role("ann", "lead", by="test")
        people.set_role("bob", "lead", by="test")
    assert people.has_admin()


def test_a_writer_that_is_killed_leaves_no_half_turn(server_places: Places) -> None:
    program = (
        "import dataclasses\nfrom rag.storage.turn_times import TurnTimes\nfrom rag.schema import SpanTime\n"
        "while True:\n"
        "    turn = turns.add('How long?', session='s', language='en')\n"
        "    print(turn.turn_id, flush=True)\n"
        "    spans = tuple(SpanTime(f's{n}', 1.0) for n in range(50))\n"
        "    turns.update(replace(turn, state='stopped'), TurnTimes(spans))\n"
    )
    for _ in range(5):
        writer = run(server_places, program)
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(5)]
        writer.kill()
        told += writer.communicate(timeout=60)[0].split()
        store = TurnStore(server_places("turns"))
        assert all(store.has(turn_id) for turn_id in told)
        rows = server_places.ask(
            "turns",
            "SELECT state, count(span) FROM turn LEFT JOIN turn_span USING (turn_number) GROUP BY turn_id, state",
        )
        assert {(state, spans) for state, spans in rows} <= {("stopped", 50), ("failed", 0)}


def test_a_newer_schema_is_not_touched(server_places: Places) -> None:
    TurnStore(server_places("turns")).close()
    place = server_places("turns")
    assert isinstance(place, ServerDatabase)
    older = PostgresDatabase(place, TURN_MIGRATIONS[:-1])
    with pytest.raises(KnowledgeBaseNewer) as told:
        older.rows("SELECT 1")
    assert told.value.details == {"found": len(TURN_MIGRATIONS), "known": len(TURN_MIGRATIONS) - 1}


def test_nul_is_kept_as_a_sign_that_it_was_there(server_places: Places) -> None:
    store = TurnStore(server_places("turns"))
    turn = store.add("a\0b", session="s", language="en")
    assert store.get(turn.turn_id).question == "a\ufffdb"


def test_a_desk_that_stood_still_in_a_transaction_is_told_so_and_goes_on(
    server_places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_SESSION", "SET idle_in_transaction_session_timeout = 50")
    store = TurnStore(server_places("turns"))
    turn = store.add("How long?", session="s", language="en")
    database = PostgresDatabase(server_places("turns"), TURN_MIGRATIONS)
    with pytest.raises(DatabaseUnavailable) as told, database.transaction() as connection:
        connection.execute("UPDATE turn SET state = 'stopped'")
        time.sleep(0.5)
        connection.execute("UPDATE turn SET state = 'done'")
    assert "idle-in-transaction" in str(told.value)
    assert store.get(turn.turn_id) == turn, "nothing of it was kept"
    database.close()


def test_a_server_that_stands_still_keeps_nobody_waiting(own_postgres: PostgresServer, tmp_path: Path) -> None:
    places = Places(tmp_path, own_postgres.url())
    store = TurnStore(places("turns"))
    turn = store.add("How long?", session="s", language="en")
    own_postgres.freeze(frozen=True)
    for work in (lambda: store.get(turn.turn_id), lambda: store.update(replace(turn, state="stopped"))):
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as told:
            work()
        assert time.monotonic() - began < NOBODY_WAITS_LONGER_SECONDS
        for sentence in (told.value.text("en"), told.value.text("zh"), str(told.value)):
            assert own_postgres.password not in sentence
            assert f"127.0.0.1:{own_postgres.port}/postgres" in sentence
    own_postgres.freeze(frozen=False)
    until(lambda: _is_back(store), seconds=30)
    assert store.get(turn.turn_id) == turn
    pool_of(places.url).close()


def test_a_restart_is_survived_and_what_was_answered_meanwhile_is_written(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    places = Places(tmp_path, own_postgres.url())
    store = TurnStore(places("turns"))
    went_away = threading.Event()

    def pipeline(name: str, user: User) -> AnswerPipeline:
        went_away.wait(60)
        raise AnswerCancelled

    service = TurnService(pipeline, store, 1)
    turn_id = service.submit("a", TurnRequest("How long?", session="s"))
    own_postgres.stop()
    with pytest.raises(DatabaseUnavailable):
        service.submit("b", TurnRequest("How long?", session="s"))
    went_away.set()
    until(lambda: service.snapshot(turn_id).state == "stopped")
    own_postgres.start()
    assert store.get(turn_id).running, "a lost connection is replaced; the turn could not be written"
    until(lambda: store.get(turn_id).state == "stopped", seconds=60)
    service.close()
    store.close()


@pytest.mark.parametrize("restarts", [3, pytest.param(20, marks=pytest.mark.nightly)])
def test_restarts_under_load_lose_no_turn_that_was_confirmed(
    own_postgres: PostgresServer, tmp_path: Path, restarts: int
) -> None:
    places = Places(tmp_path, own_postgres.url())
    TurnStore(places("turns")).close()
    program = (
        "from rag.errors import DatabaseUnavailable\nimport select\n"
        "while not select.select([sys.stdin], [], [], 0)[0]:\n"
        "    try:\n"
        "        turn = turns.add('How long?', session='s', language='en')\n"
        "        print('added', turn.turn_id, flush=True)\n"
        "        turns.update(replace(turn, state='stopped'))\n"
        "        print('ended', turn.turn_id, flush=True)\n"
        "    except DatabaseUnavailable:\n"
        "        print('away -', flush=True)\n"
    )
    desks = [run(places, program) for _ in range(2)]
    lines: tuple[list[str], list[str]] = ([], [])

    def read(number: int) -> None:
        output = desks[number].stdout
        assert output is not None
        for line in output:
            lines[number].append(line)

    threads = [threading.Thread(target=read, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    until(lambda: all(lines), seconds=60)
    for number in range(restarts):
        time.sleep(1.0)
        own_postgres.stop((signal.SIGQUIT, signal.SIGINT)[number % 2])  # as in a crash, and as told to
        own_postgres.start()
    for desk, thread in zip(desks, threads, strict=True):
        assert desk.stdin is not None
        desk.stdin.write("\n")
        desk.stdin.flush()
        thread.join(60)
        desk.communicate(timeout=60)
        assert desk.returncode == 0
    told = [tuple(line.split()) for line in (*lines[0], *lines[1])]
    state = dict(places.ask("turns", "SELECT turn_id, state FROM turn"))
    assert {word for word, _ in told} == {"added", "ended", "away"}
    assert {turn_id for word, turn_id in told if word == "added"} <= set(state)
    assert all(state[turn_id] == "stopped" for word, turn_id in told if word == "ended")


def test_an_address_that_cannot_be_used_is_told_without_the_password(own_postgres: PostgresServer) -> None:
    wrong = own_postgres.url().replace(own_postgres.password, "s3cret")
    with pytest.raises(DatabaseUnavailable, match="password authentication failed") as refused:
        People(ServerDatabase("people", wrong)).has_admin()
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        People(ServerDatabase("people", own_postgres.url("nowhere"))).has_admin()
    assert "s3cret" not in str(refused.value)
    for url in ("postgresql://desk:s3cret@x@db/desk", "mysql://desk:s3cret@db/desk", "postgresql://desk:s3cret@db"):
        with pytest.raises(SettingsError) as told:
            Settings().changed(database_url=url)
        assert "s3cret" not in str(told.value)
    assert "s3cret" not in repr(Settings(database_url=wrong))
    assert "s3cret" not in repr(Settings(database_url=wrong).people_database)


@pytest.mark.parametrize("program", ["api", "ui"])
def test_a_start_without_the_server_says_so_and_ends(tmp_path: Path, program: str) -> None:
    places = Places(tmp_path, f"postgresql://desk:s3cret@127.0.0.1:{free_port()}/desk")
    command = [sys.executable, "-m", program, "--port", str(free_port())]
    environment = {**places.environment(), "LC_ALL": "C.UTF-8"}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == DatabaseUnavailable.exit_code
    assert "Connection refused" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr + ended.stdout


def test_without_an_address_psycopg_is_not_imported(tmp_path: Path) -> None:
    queue = (
        f"from rag.queue.admission import Admission\nAdmission(1, 9, place=Path({str(tmp_path / 'q.db')!r})).ticket()\n"
    )
    assert output_of(run(Places(tmp_path), f"{queue}print('psycopg' in sys.modules)\n")) == "False"


def _is_back(store: TurnStore) -> bool:
    with suppress(DatabaseUnavailable):
        store.list("s")
        return True
    return False
