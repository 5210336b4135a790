"""What the product writes is its user's alone, also in a folder that was open before."""

import ast
import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rag.people.directory import People
from rag.private_files import close_cache_folder, close_data_folder, keep_files_private
from rag.settings import Settings, load_settings, store_choices
from rag.storage.turn_store import TurnStore
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, publish_documents
from tests.rag.command import CHECKOUT, environment, run_rag

STARTED_BY_OTHERS = {
    "ui/app.py": "a page of the desk, in its process",
    "rag/setup/environment.py": "makes the virtual environment, before there are any settings",
    "ingest/job.py": "a child of the desk",
    "ingest/loaders/worker.py": "a child of an ingest",
    "eval/code/worker.py": "a child of an evaluation, which may write nothing",
    "eval/background_process.py": "a child of the desk",
    "eval/calibrate_model/background_process.py": "a child of the desk",
    "eval/train/background.py": "a child of python -m eval train",
    "eval/bench/ingest/child_processes.py": "a child of python -m eval ingest",
    "eval/bench/langchain/baseline.py": "a child of python -m eval ingest",
}


@pytest.fixture(autouse=True)
def usual_mask() -> Iterator[None]:
    """Begin with the mask that most systems have, and leave the tests' own behind."""
    before = os.umask(0o022)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    return [str(path) for path in (folder, *folder.rglob("*")) if rights(path) & 0o077 and not path.is_symlink()]


@pytest.mark.slow
def test_every_program_keeps_its_files_private_before_anything_else() -> None:
    forgetful = set()
    for part in ("rag", "ingest", "eval", "api", "ui"):
        for path in (CHECKOUT / part).rglob("*.py"):
            for statement in ast.parse(path.read_text("utf-8")).body:
                if not isinstance(statement, ast.If) or ast.unparse(statement.test) != "__name__ == '__main__'":
                    continue
                body = _makes_files(statement.body)
                if body and body[0] != "keep_files_private()":
                    forgetful.add(str(path.relative_to(CHECKOUT)))
    assert forgetful == set(STARTED_BY_OTHERS)
    for entry in tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"].values():
        module, _, name = entry.partition(":")
        tree = ast.parse((CHECKOUT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
        (function,) = (one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
        first, *_ = _makes_files(function.body[1:] if ast.get_docstring(function) else function.body)
        assert first == "keep_files_private()", entry


def _makes_files(body: Sequence[ast.stmt]) -> list[str]:
    """Return the statements that may make a file: neither imports nor what Ctrl-C does meanwhile."""
    statements = [ast.unparse(one) for one in body if not isinstance(one, ast.ImportFrom)]
    return [one for one in statements if one != "end_at_interrupt()"]


@pytest.mark.slow
def test_what_is_written_is_readable_by_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "new" / "data"
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(data))
    monkeypatch.setenv("ANSWERDESK_CACHE_DIR", str(tmp_path / "cache"))
    keep_files_private()
    settings = Settings(data_dir=data)
    publish_documents(settings.knowledge_dir, SAMPLE_DOCUMENTS, HashEmbedder())
    turns, people = TurnStore(settings.turns_path), People(settings.people_path)
    turns.add("How long is the warranty?", session="lin", language="en")
    people.add("lin", "admin", None, "", by="test")
    store_choices(settings, {"thinking": "off"})
    names = {path.name for path in data.rglob("*")}
    assert {"turns.db", "turns.db-wal", "turns.db-shm", "people.db-wal", "knowledge.db", "settings.json"} <= names
    assert open_to_others(data) == []
    turns.close()
    people.close()


def test_children_inherit_the_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    keep_files_private()
    subprocess.run([sys.executable, "-c", "open('made', 'w')"], cwd=tmp_path, check=True)
    assert rights(tmp_path / "made") == 0o600


@pytest.mark.slow
def test_a_data_folder_that_was_open_is_closed_and_one_sentence_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "knowledge" / "default").mkdir(parents=True)
    (data / "turns.db").write_text("")
    for language, said in (("en_GB.UTF-8", "Other users of this machine could"), ("zh_CN.UTF-8", "本机其他用户原可")):
        data.chmod(0o755)
        (data / "turns.db").chmod(0o644)
        (data / "knowledge").chmod(0o755)
        ran = run_rag("latency", env=environment(data, LANG=language))
        assert ran.err.count(said) == 1 and str(data) in ran.err
        assert [rights(path) for path in (data, data / "turns.db", data / "knowledge")] == [0o700, 0o600, 0o700]
    assert "Other users" not in run_rag("latency", env=environment(data)).err


@pytest.mark.slow
def test_all_that_the_product_makes_in_its_data_folder_is_known_as_its_own(tmp_path: Path) -> None:
    made = re.compile(r'\bdata_dir / "([\w.-]+)"')
    sources = [path for part in ("rag", "ingest", "eval", "api", "ui") for path in (CHECKOUT / part).rglob("*.py")]
    names = {name for path in sources for name in made.findall(path.read_text("utf-8"))}
    assert {"turns.db", "people.db", "requests.db", "runs", "sample"} <= names
    data = tmp_path / "data"
    data.mkdir()
    for name in names:
        (data / name).touch()
    data.chmod(0o755)
    assert list(close_data_folder(data)) == [("narrowed", data)]


def test_a_folder_that_holds_other_things_keeps_its_rights_and_the_entries_are_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "knowledge").mkdir(parents=True)
    (home / "letters").mkdir()
    (home / "people.db").write_text("")
    assert sorted(close_data_folder(home)) == [("narrowed", home / "knowledge"), ("narrowed", home / "people.db")]
    assert [rights(home / name) for name in ("", "letters", "knowledge", "people.db")] == [0o755, 0o755, 0o700, 0o600]
    assert list(close_data_folder(home)) == []


def test_a_folder_of_another_user_is_left_alone_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    (data / "runs").mkdir(parents=True)
    (data / "turns.db").touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert list(close_data_folder(data)) == [("readable", data)]
    (data / "letters").mkdir()  # nobody is advised to close what is not the product's
    assert list(close_data_folder(data)) == [("readable", data / "runs"), ("readable", data / "turns.db")]
    assert rights(data) == 0o755


def test_what_others_can_read_is_told_in_one_line_with_a_command_that_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "our data"
    for name in ("runs", "letters"):
        (data / name).mkdir(parents=True)
    (data / "turns.db").touch()
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(data))
    monkeypatch.setenv("ANSWERDESK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LC_ALL", "C")
    with monkeypatch.context() as another:
        another.setattr(os, "geteuid", lambda: os.getuid() + 1)
        keep_files_private()
    (line,) = capsys.readouterr().err.splitlines()
    command = line.partition("close it with: ")[2]
    assert command.startswith("chmod -R go= ")
    subprocess.run(command, shell=True, check=True)
    assert [rights(data / name) for name in ("runs", "turns.db", "letters")] == [0o700, 0o600, 0o755]


def test_a_link_in_the_data_folder_is_not_followed_and_a_link_to_it_is(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    data.mkdir()
    elsewhere.mkdir()
    (data / "knowledge").symlink_to(elsewhere)
    (tmp_path / "link").symlink_to(data)
    assert list(close_data_folder(tmp_path / "link")) == [("narrowed", data)]
    assert (rights(data), rights(elsewhere)) == (0o700, 0o755)


def test_nobody_else_may_write_into_the_cache_folder(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    assert list(close_cache_folder(cache)) == []
    cache.chmod(0o775)
    assert list(close_cache_folder(cache)) == [("write_ended", cache)]
    assert rights(cache) == 0o755
    cache.chmod(0o1777)  # like /tmp: everybody may write there, and it is nobody's to change
    assert list(close_cache_folder(cache)) == [("writable", cache)]


@pytest.mark.parametrize("variable", ["ANSWERDESK_CACHE_DIR", "ANSWERDESK_DATA_DIR"])
def test_what_is_no_folder_keeps_its_rights(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe, data = tmp_path / "pipe", tmp_path / "data"
    data.mkdir()
    for path in (pipe, data / "turns.db"):  # where somebody expects a folder, and among the product's files
        os.mkfifo(path)
        path.chmod(0o666)
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(data))
    monkeypatch.setenv("ANSWERDESK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv(variable, str(pipe))
    keep_files_private()
    assert [*close_cache_folder(pipe), *close_data_folder(pipe)] == []
    assert (rights(pipe), capsys.readouterr().err) == (0o666, "")
    list(close_data_folder(data))
    assert rights(data / "turns.db") == 0o666


@pytest.mark.real
def test_a_real_ingest_and_a_real_question_leave_nothing_for_others(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "warranty.md").write_text("# Warranty\n\nThe warranty of the Drift R3 is two years.\n", "utf-8")
    data = tmp_path / "data"
    env = environment(data)
    ingested = subprocess.run(
        [sys.executable, "-m", "ingest", str(documents)], cwd=CHECKOUT, env=env, capture_output=True, check=False
    )
    assert ingested.returncode == 0, ingested.stderr.decode()
    ran = run_rag("ask", "--instant", "How long is the warranty of the Drift R3?", env=env)
    assert ran.code == 0 and "two years" in ran.out
    assert open_to_others(data) == []
