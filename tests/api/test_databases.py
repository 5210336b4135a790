"""What is wrong with the databases is told before anything is served."""

import os
from pathlib import Path

import pytest

from api.databases import require_databases
from rag.errors import DatabaseDamaged, DataFolderUnusable, PeopleMissing
from rag.people.directory import MARK_NAME, People
from rag.settings import Settings
from ui.people_commands import main as people_main


def add(folder: Path, name: str, role: str) -> None:
    with People(folder / "people.db") as people:
        people.add(name, "admin" if role == "admin" else "agent", None, "", by="terminal")


def lose_people(folder: Path, lost: str) -> None:
    for file in folder.glob("people.db*"):
        file.unlink()
    if lost == "replaced":
        with People(folder / "people.db") as people:
            people.require()


@pytest.mark.parametrize("lost", ["deleted", "replaced"])
def test_lost_users_do_not_open_the_desk(lost: str, tmp_path: Path) -> None:
    require_databases(Settings(data_dir=tmp_path))
    assert not (tmp_path / MARK_NAME).exists(), "nobody was here"
    add(tmp_path, "root", "admin")
    require_databases(Settings(data_dir=tmp_path))
    lose_people(tmp_path, lost)
    for _ in range(2):  # the first try does not make it an ordinary start
        with pytest.raises(PeopleMissing) as told:
            require_databases(Settings(data_dir=tmp_path), api=False)
    for language in ("en", "zh"):
        assert str(tmp_path / "people.db") in told.value.text(language)
        assert str(tmp_path) not in told.value.public_text(language)


def test_emptied_users_do_not_open_the_desk(tmp_path: Path) -> None:
    add(tmp_path, "root", "admin")
    lose_people(tmp_path, "deleted")
    (tmp_path / "people.db").touch()
    with pytest.raises(DatabaseDamaged, match=r"people\.db"):
        require_databases(Settings(data_dir=tmp_path), api=False)


@pytest.mark.parametrize("sign_in", ["on", "off"])
def test_who_says_whether_people_sign_in_begins_anew_without_the_lost_users(sign_in: str, tmp_path: Path) -> None:
    add(tmp_path, "root", "admin")
    lose_people(tmp_path, "deleted")
    require_databases(Settings(data_dir=tmp_path).changed(sign_in=sign_in, data_dir=tmp_path))
    add(tmp_path, "new", "admin")
    require_databases(Settings(data_dir=tmp_path))


def test_the_admin_of_an_older_version_is_marked_at_the_start(tmp_path: Path) -> None:
    add(tmp_path, "root", "admin")
    (tmp_path / MARK_NAME).unlink()
    require_databases(Settings(data_dir=tmp_path))
    assert (tmp_path / MARK_NAME).exists()


def test_users_without_an_admin_leave_no_mark(tmp_path: Path) -> None:
    add(tmp_path, "lin", "agent")
    assert not (tmp_path / MARK_NAME).exists()
    lose_people(tmp_path, "deleted")
    require_databases(Settings(data_dir=tmp_path))


def test_the_list_of_users_says_that_they_were_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.people_commands.load_settings", lambda: Settings(data_dir=tmp_path))
    add(tmp_path, "root", "admin")
    lose_people(tmp_path, "deleted")
    with pytest.raises(PeopleMissing):
        people_main(["list"])


@pytest.mark.parametrize("with_api", [True, False], ids=["with the API", "the desk alone"])
def test_a_folder_that_can_only_be_read_is_told_at_the_start(
    with_api: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_databases(Settings(data_dir=tmp_path))
    values = list(os.statvfs(tmp_path))
    values[8] |= os.ST_RDONLY  # f_flag
    monkeypatch.setattr(os, "statvfs", lambda place: os.statvfs_result(values))
    with pytest.raises(DataFolderUnusable, match=r"people\.db cannot be used: it is read-only"):
        require_databases(Settings(data_dir=tmp_path), api=with_api)
