"""A parser that a file took over finds nothing: each attempt is made from inside a real reading process."""

import ctypes
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import reader as reader_module
from ingest.loaders import confinement, registry
from ingest.loaders.confinement import MEASURES, Confinement, readable_places
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.worker import READY
from ingest.reader import FileReader
from rag.schema import Document

REPOSITORY = Path(__file__).resolve().parents[3]

_THIEF = """
import ctypes, json, os, resource, signal, socket, subprocess, threading
from pathlib import Path
import ingest.loaders.registry as registry
from ingest.loaders.text import load_text

def connect(target):
    with socket.create_connection(("127.0.0.1", target["port"]), timeout=2):
        pass

def pass_around_the_filter(target):  # io_uring opens and connects without the calls themselves
    if ctypes.CDLL(None, use_errno=True).syscall(425, 8, ctypes.create_string_buffer(120)) < 0:
        raise OSError(ctypes.get_errno(), "refused")

def through_own_descriptors(target):  # the file may have been opened anew for writing
    for name in os.listdir("/proc/self/fd"):
        if os.readlink(f"/proc/self/fd/{name}").endswith(".thief"):
            os.open(f"/proc/self/fd/{name}", os.O_WRONLY)

ATTEMPTS = {
    "connect": connect,
    "listen": lambda target: socket.socket().bind(("127.0.0.1", 0)),
    "unix socket": lambda target: socket.socket(socket.AF_UNIX).connect(target["unix"]),
    "io_uring": pass_around_the_filter,
    "people.db": lambda target: Path(target["people"]).read_bytes(),
    "data beside the code": lambda target: Path(target["beside"]).read_bytes(),
    "own file again": lambda target: Path(target["itself"]).read_bytes(),
    "own file for writing": through_own_descriptors,
    "folder": lambda target: os.listdir(Path(target["people"]).parent),
    "home": lambda target: os.listdir(target["home"]),
    "passwd": lambda target: Path("/etc/passwd").read_bytes(),
    "write": lambda target: Path(target["written"]).write_bytes(b"x"),
    "make": lambda target: os.open(target["written"], os.O_CREAT | os.O_RDWR),
    "mkdir": lambda target: os.mkdir(target["written"]),
    "unlink": lambda target: os.unlink(target["people"]),
    "chmod": lambda target: os.chmod(target["people"], 0o777),
    "memory file": lambda target: os.write(os.memfd_create("x"), b"x"),
    "exec": lambda target: os.execv("/bin/true", ["true"]),
    "run": lambda target: subprocess.run(["/bin/true"]),
    "fork": lambda target: os.fork() or os._exit(0),
    "owner's environment": lambda target: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "owner's memory": lambda target: open(f"/proc/{os.getppid()}/mem", "rb").read(1),
    "signal": lambda target: os.kill(os.getppid(), 0),
    "owner's limits": lambda target: resource.prlimit(os.getppid(), resource.RLIMIT_CPU),
    "more memory": lambda target: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)),
    "longer files": lambda target: resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1)),
}

def thief(source, raw, limits):
    target, told = json.loads(raw), {}
    for name, attempt in ATTEMPTS.items():
        try:
            attempt(target)
            told[name] = "done"
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            told[name] = type(error).__name__
    thread = threading.Thread(target=lambda: told.__setitem__("thread", "runs"))
    thread.start()
    thread.join()
    os.kill(os.getpid(), 0)
    told["environment"] = sorted(os.environ)
    told["core"] = resource.getrlimit(resource.RLIMIT_CORE)
    yield from load_text(source, json.dumps(told).encode(), limits)

registry.LOADERS[".thief"] = thief
"""


@pytest.fixture
def thief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileReader]:
    """A reader whose worker tries to break out with each ``.thief`` file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(_THIEF)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("ANSWERDESK_PASSWORDS_FILE", "/somewhere")
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    monkeypatch.setitem(registry.LOADERS, ".thief", registry.LOADERS[".txt"])
    with FileReader(Limits(1_000_000)) as found:
        yield found


def told(reader: FileReader, tmp_path: Path, port: int) -> dict[str, object]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/people.db").write_bytes(b"hashes")
    path = tmp_path / "a.thief"
    target = {
        "port": port,
        "unix": "/run/systemd/notify",
        "people": str(tmp_path / "data/people.db"),
        "beside": str(REPOSITORY / "pyproject.toml"),
        "itself": str(path),
        "home": str(Path.home()),
        "written": str(tmp_path / "data/new"),
    }
    path.write_text(json.dumps(target))
    (found,) = reader.read(SourceFile(path, tmp_path))
    assert isinstance(found, Document), found
    assert (tmp_path / "data/people.db").read_bytes() == b"hashes"
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["people.db"]
    answer: dict[str, object] = json.loads(found.text)
    return answer


_BY_MEASURE = {
    "files": ("people.db", "data beside the code", "own file again", "folder", "home", "passwd"),
    "writing": ("write", "make", "mkdir", "unlink", "chmod", "own file for writing"),
    "network": ("connect", "listen", "unix socket", "io_uring"),
    "programs": ("exec", "run", "fork"),
    "processes": ("owner's environment", "owner's memory", "signal", "owner's limits"),
}
_ALWAYS = ("memory file", "longer files")


@pytest.mark.slow
def test_nothing_is_within_reach_of_a_parser(
    thief: FileReader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reader_module._log_once.cache_clear()
    with socket.create_server(("127.0.0.1", 0)) as server, caplog.at_level(logging.INFO):
        answer = told(thief, tmp_path, server.getsockname()[1])
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    (said,) = [record.getMessage() for record in caplog.records if record.name == "ingest.reader"]
    _, _, within_reach = said.partition("within reach: ")
    if Path("/proc/sys/kernel/seccomp/actions_avail").exists():
        assert said.count("seccomp") == 4, "all but reading files"
    if ctypes.CDLL(None).syscall(444, None, 0, 1) > 0:  # landlock_create_ruleset tells its version
        assert "no files (Landlock)" in said
    for measure, attempts in _BY_MEASURE.items():
        if measure not in within_reach:  # else this kernel has no means for it, which is what the log says
            assert {name: answer[name] for name in attempts} == dict.fromkeys(attempts, "PermissionError"), measure
    assert {answer[name] for name in _ALWAYS} <= {"OSError", "ValueError", "PermissionError"}
    assert set(answer["environment"]) <= {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "OPENBLAS_NUM_THREADS", "LC_CTYPE"}  # type: ignore[call-overload]
    assert (answer["thread"], answer["core"]) == ("runs", [0, 0])


@pytest.mark.slow
def test_what_holds_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader_module._log_once.cache_clear()
    (tmp_path / "a.txt").write_text("text")
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            with FileReader(Limits()) as reader:
                assert len(list(reader.read(SourceFile(tmp_path / "a.txt", tmp_path)))) == 1
    assert len([record for record in caplog.records if record.name == "ingest.reader"]) == 1


@pytest.mark.parametrize(
    ("held", "level"), [(MEASURES, "INFO"), (MEASURES[1:], "WARNING"), (MEASURES[:-1], "WARNING"), ((), "WARNING")]
)
def test_what_is_within_reach_is_a_warning(held: tuple[str, ...], level: str, caplog: pytest.LogCaptureFixture) -> None:
    reader_module._log_once.cache_clear()
    with caplog.at_level(logging.INFO):
        reader_module._log_confinement(READY + json.dumps(dict.fromkeys(held, "seccomp")).encode())
    assert [record.levelname for record in caplog.records] == [level]


_PROGRAM = """
import importlib, sys
importlib.import_module(sys.argv[1])
from ingest import reader
from ingest.loaders.worker import READY
reader._log_confinement(READY + b'{"files": "Landlock"}')
"""


@pytest.mark.slow
@pytest.mark.parametrize("program", ["ingest.__main__", "ingest.job", "ui.server"])
def test_the_terminal_and_the_desk_show_what_is_within_reach(program: str) -> None:
    """None of them sets a handler, so Python's last resort writes warnings to standard error."""
    command = [sys.executable, "-c", _PROGRAM, program]
    shown = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert "no files (Landlock); within reach: writing, network, programs, processes" in shown.stderr


def test_the_words_for_what_holds_and_what_does_not() -> None:
    assert str(Confinement({"files": "Landlock", "network": "Landlock, seccomp"})) == (
        "no files (Landlock), no network (Landlock, seccomp); within reach: writing, programs, processes"
    )
    assert str(Confinement(dict.fromkeys(MEASURES, "seccomp"))).count("(seccomp)") == len(MEASURES)


def confined(code: str) -> dict[str, str]:
    """Confine a process in which ``code`` took something away first, and return what it says to hold."""
    program = f"""
import json, sys
from pathlib import Path
from ingest.loaders import confinement
{code}
print(json.dumps(confinement.confine(Path({str(REPOSITORY)!r})).held))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=60
    )
    held: dict[str, str] = json.loads(done.stdout)
    return held


@pytest.mark.slow
def test_a_machine_that_offers_less_is_told_as_it_is() -> None:
    everything = confined("")
    without_landlock = confined("confinement._CREATE_RULESET = 1023")
    assert "files" not in without_landlock
    assert all("Landlock" not in means for means in without_landlock.values())
    without_seccomp = confined("confinement._SECCOMP = dict.fromkeys(confinement._SECCOMP, 1023)")
    assert all("seccomp" not in means for means in without_seccomp.values())
    unknown_machine = confined("confinement._architecture = lambda: ''")
    assert unknown_machine == {}
    assert set(everything) >= set(without_landlock) | set(without_seccomp)


@pytest.mark.slow
def test_the_filter_is_one_that_the_kernel_of_the_other_architecture_would_take() -> None:
    for architecture in ("x86_64", "aarch64"):
        program = confinement._Program(architecture).instructions
        assert len(program) < 4096  # BPF_MAXINSNS
        for place, (code, if_true, if_false, _) in enumerate(program):
            if code & 0x07 == 0x05:
                assert place + 1 + max(if_true, if_false) < len(program)
        assert program[-1][0] == confinement._RETURN


def test_a_folder_on_pythons_path_that_holds_ours_is_not_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    for folder in (ours / "ingest", ours / "rag", other):
        folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(ours), str(tmp_path), str(other)])
    places = readable_places(ours)
    assert {ours / "ingest", ours / "rag", other} <= set(places)
    assert not {ours, tmp_path} & set(places)
    assert not [place for place in places if place == Path.home() or place in Path.home().parents], os.environ
