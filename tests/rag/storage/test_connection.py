"""What SQLite and the file system refuse is told as it is, with the file and the reason."""

import errno
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import (
    AnswerdeskError,
    DatabaseBusy,
    DatabaseDamaged,
    DataFolderUnusable,
    IndexDamaged,
    IngestRunning,
    StorageFull,
)
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.people.keys import ApiKeys
from rag.storage.connection import KNOWLEDGE_NAME, storage_errors
from rag.storage.turn_store import TurnStore
from rag.storage.turn_times import TurnTimesTable
from rag.storage.writer import LOCK_NAME, file_lock


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("in SQLite's words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (sqlite3.SQLITE_PERM, DataFolderUnusable, "permission"),
        (sqlite3.SQLITE_READONLY, DataFolderUnusable, "read_only"),
        (sqlite3.SQLITE_READONLY_DBMOVED, DataFolderUnusable, "read_only"),
        (sqlite3.SQLITE_CANTOPEN, DataFolderUnusable, "unopened"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, DataFolderUnusable, "unopened"),
        (sqlite3.SQLITE_IOERR_READ, DataFolderUnusable, "device"),
        (sqlite3.SQLITE_CORRUPT, IndexDamaged, ""),
        (sqlite3.SQLITE_CORRUPT_INDEX, IndexDamaged, ""),
        (sqlite3.SQLITE_NOTADB, IndexDamaged, ""),
        (sqlite3.SQLITE_FULL, StorageFull, ""),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, IngestRunning, ""),
    ],
)
def test_only_a_damaged_database_is_told_as_damaged(
    code: int, kind: type[AnswerdeskError], reason: str, tmp_path: Path
) -> None:
    database = tmp_path / KNOWLEDGE_NAME
    with pytest.raises(kind) as told, storage_errors(tmp_path, database):
        raise sqlite_error(code)
    assert type(told.value) is kind
    if reason:
        assert told.value.details == {"path": database, "reason": reason}
        assert str(database) in told.value.text("zh")


def test_a_fault_of_the_program_passes_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), storage_errors(tmp_path):
        raise sqlite_error(sqlite3.SQLITE_ERROR)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR_SHMOPEN])
@pytest.mark.parametrize("hindered", ["", "turns.db", "turns.db-shm"])
def test_what_lacks_permission_is_told_so_whatever_sqlite_says(
    code: int, hindered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("turns.db", "turns.db-shm"):
        (tmp_path / name).touch()
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path / hindered)
    with pytest.raises(DataFolderUnusable, match="this user may not"), storage_errors(tmp_path, tmp_path / "turns.db"):
        raise sqlite_error(code)


def test_what_is_mounted_read_only_is_told_so_whatever_sqlite_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = list(os.statvfs(tmp_path))
    values[8] |= os.ST_RDONLY  # f_flag
    monkeypatch.setattr(os, "statvfs", lambda place: os.statvfs_result(values))
    with pytest.raises(DataFolderUnusable, match="read-only"), storage_errors(tmp_path, tmp_path / "turns.db"):
        raise sqlite_error(sqlite3.SQLITE_CANTOPEN)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "this user may not"),
        (errno.EPERM, "this user may not"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "the disk reports"),
    ],
)
def test_a_lock_that_cannot_be_made_is_told_in_one_sentence(
    number: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> int:
        raise OSError(number, "in the system's words", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataFolderUnusable, match=rf"{LOCK_NAME} cannot be used: .*{reason}"), file_lock(tmp_path):
        pass


def test_a_file_elsewhere_that_cannot_be_read_is_none_of_the_data_folder(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), storage_errors(tmp_path / "data"):
        raise PermissionError(errno.EACCES, "in the system's words", str(tmp_path / "documents" / "a.md"))


@pytest.mark.parametrize("store", [People, ApiKeys, AuditTrail, TurnTimesTable])
def test_a_reader_makes_no_database(
    store: type[People | ApiKeys | AuditTrail | TurnTimesTable], tmp_path: Path
) -> None:
    path = tmp_path / "data" / "some.db"
    with store(path, reads_only=True) as reader:
        match reader:
            case People() | ApiKeys():
                assert reader.list() == ()
            case AuditTrail():
                assert list(reader.lines()) == []
            case TurnTimesTable():
                assert reader.outcomes().turns == {}
    assert not path.parent.exists()
    with People(path) as people:
        people.add("lin", "admin", None, "", by="lin")
    with People(path, reads_only=True) as reader:
        assert [person.name for person in reader.list()] == ["lin"]


def test_what_would_be_lost_is_not_written(tmp_path: Path) -> None:
    with People(tmp_path / "people.db", reads_only=True) as reader, pytest.raises(DataFolderUnusable):
        reader.add("lin", "admin", None, "", by="lin")


@pytest.mark.parametrize("name", ["people.db", "turns.db"])
def test_a_damaged_database_of_peoples_work_is_not_to_be_rebuilt(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseDamaged, match="restore it from a backup") as told:
        if name == "people.db":
            People(path).has_admin()
        else:
            TurnStore(path).add("How long is the warranty?", session="lin", language="en")
    assert str(path) in str(told.value) and "--rebuild" not in str(told.value)
    for language in ("en", "zh"):
        assert str(path) in told.value.text(language)
        assert str(tmp_path) not in told.value.public_text(language)


def emptied(path: Path) -> None:
    for beside in path.parent.glob(f"{path.name}*"):
        beside.unlink()
    path.touch()


@pytest.mark.parametrize("name", ["people.db", "turns.db"])
def test_a_database_without_a_byte_was_emptied_and_is_damaged(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    store = People if name == "people.db" else TurnStore
    with store(path) as made:
        made.require()
    assert [found.name for found in tmp_path.iterdir() if found.name.endswith(".new")] == []
    emptied(path)
    with pytest.raises(DatabaseDamaged, match=name), store(path) as opened:
        opened.require()
    with pytest.raises(DatabaseDamaged), People(path, reads_only=True) as reader:
        reader.list()
    assert path.stat().st_size == 0, "it is left as it is"


@pytest.mark.parametrize("lost", ["emptied", "deleted"])
def test_a_database_that_is_lost_while_it_is_in_use_is_not_made_again(lost: str, tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with People(path) as people:
        people.add("lin", "admin", None, "", by="lin")
        people.close()  # as the connection of a thread that has ended
        emptied(path)
        if lost == "deleted":
            path.unlink()
        with pytest.raises(DatabaseDamaged, match=r"people\.db"):
            people.has_admin()
    assert path.exists() is (lost == "emptied")


def test_a_database_is_made_where_files_cannot_have_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with People(tmp_path / "people.db") as people:
        people.require()
        assert people.list() == ()


def test_two_that_make_a_database_at_once_make_the_same_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked = Path.hardlink_to

    def add_lin() -> None:
        with People(tmp_path / "people.db") as quicker:
            quicker.add("lin", "admin", None, "", by="lin")

    def link_late(path: Path, target: Path) -> None:
        monkeypatch.setattr(Path, "hardlink_to", linked)
        with ThreadPoolExecutor(1) as another:
            another.submit(add_lin).result()
        linked(path, target)

    monkeypatch.setattr(Path, "hardlink_to", link_late)
    with People(tmp_path / "people.db") as people:
        assert [person.name for person in people.list()] == ["lin"]


@pytest.mark.parametrize("name", ["people.db", "turns.db"])
def test_a_locked_database_of_people_is_no_ingest(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseBusy) as told, storage_errors(tmp_path, tmp_path / name):
        raise sqlite_error(sqlite3.SQLITE_BUSY)
    assert str(tmp_path / name) in told.value.text("en") and "locked" in told.value.text("en")
    assert "锁定" in told.value.text("zh") and "ingest" not in told.value.text("en")
    assert str(tmp_path) not in told.value.public_text("en") + told.value.public_text("zh")


def test_a_knowledge_base_that_is_being_written_is_told_in_one_language(tmp_path: Path) -> None:
    with pytest.raises(IngestRunning) as told, storage_errors(tmp_path, tmp_path / KNOWLEDGE_NAME):
        raise sqlite_error(sqlite3.SQLITE_BUSY)
    assert "the database" not in told.value.text("zh")
