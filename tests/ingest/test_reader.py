"""A hostile file costs its document and nothing else: workers that hang, crash and swallow memory."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.loaders import registry
from ingest.loaders.source import IDLE_ENGINE_BYTES, Limits, SourceFile
from ingest.memory_budget import MemoryBudget
from ingest.reader import FileReader
from rag.errors import DocumentUnreadable, ReaderUnavailable
from rag.schema import Document
from tests.ingest.loaders.archives import zip_bytes

LIMITS = Limits(1_000_000)

_LOADERS = """
import ingest.loaders.registry as registry
from ingest.loaders.text import load_text
import os, signal, time
def hang(source, raw, limits):
    time.sleep(60)
    yield
def crash(source, raw, limits):
    os.kill(os.getpid(), signal.SIGSEGV)
    yield
def swallow(source, raw, limits):
    yield from [bytearray(8 * 1024**3)]
def shout(source, raw, limits):
    print("a library says something", flush=True)
    os.write(1, b"native code too")
    yield from load_text(source, raw, limits)
def stumble(source, raw, limits):
    yield from load_text(source, raw, limits)
    raise AttributeError("a bug in a library")
def liar(source, raw, limits):
    from dataclasses import replace
    from pathlib import Path
    other = replace(source, path=source.root / "other.txt")
    yield from load_text(other, raw, limits) if raw == b"document" else [other.unreadable("empty")]
def looks(source, raw, limits):
    import resource
    from ingest.loaders.source import PictureAhead, StillReading
    told = [resource.getrlimit(resource.RLIMIT_AS)]
    for _ in range(2):
        yield PictureAhead()
        told.append(resource.getrlimit(resource.RLIMIT_AS))
        yield StillReading()
        told.append(resource.getrlimit(resource.RLIMIT_AS))
    yield from load_text(source, str(told).encode(), limits)
registry.LOADERS |= {".looks": looks}
registry.LOADERS |= {".liar": liar}
registry.LOADERS |= {".hang": hang, ".crash": crash, ".swallow": swallow, ".shout": shout, ".stumble": stumble}
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileReader]:
    """A reader whose workers know some bad formats."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(_LOADERS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    for ending in ("hang", "crash", "swallow", "shout", "stumble", "liar", "looks"):
        monkeypatch.setitem(registry.LOADERS, f".{ending}", registry.LOADERS[".txt"])
    with FileReader(LIMITS, timeout_seconds=1.0) as found:
        yield found


def read(reader: FileReader, path: Path, content: str = "text") -> list[str]:
    path.write_text(content)
    return [
        str(item.details["reason"]) if isinstance(item, DocumentUnreadable) else item.text
        for item in reader.read(SourceFile(path, path.parent))
    ]


@pytest.mark.slow
def test_bad_files_are_named_and_good_ones_read_all_the_same(reader: FileReader, tmp_path: Path) -> None:
    for ending, told in {
        ".txt": ["text"],
        ".crash": ["malformed"],
        ".swallow": ["too_much_memory"],
        ".shout": ["text"],
        ".stumble": ["text", "malformed"],
        ".hang": ["too_slow"],
        ".mp4": ["unsupported"],
    }.items():
        assert read(reader, tmp_path / f"a{ending}") == told
        assert read(reader, tmp_path / "good.txt", "good") == ["good"]


@pytest.mark.slow
def test_a_worker_that_speaks_of_another_file_is_not_believed(reader: FileReader, tmp_path: Path) -> None:
    for content in ("document", "failure"):
        assert read(reader, tmp_path / "a.liar", content) == ["malformed"]


@pytest.mark.slow
@pytest.mark.usefixtures("reader")
def test_the_memory_is_raised_while_a_picture_is_read(tmp_path: Path) -> None:
    low, most = 1_000_000_000, 6_144_000_000
    budget = MemoryBudget(low)
    with FileReader(LIMITS, budget=budget) as reader:
        (told,) = read(reader, tmp_path / "a.looks")
        assert told == str([(low, most), (most, most), (low, most), (most, most), (low, most)])
        assert budget._taken_bytes == low + IDLE_ENGINE_BYTES, "an engine may be loaded"
        reader.close()
        assert budget._taken_bytes == low
    assert budget._taken_bytes == 0
    with FileReader(replace(LIMITS, ocr_pages=0), budget=budget) as reader:
        (told,) = read(reader, tmp_path / "a.looks")
        assert told == str([(low, low)] * 5), "no picture is read"


@pytest.mark.slow
def test_two_readers_do_not_look_at_pictures_at_once_where_memory_is_short(reader: FileReader, tmp_path: Path) -> None:
    del reader  # its workers know the format
    budget = MemoryBudget(3_000_000_000)
    assert budget.take_for_picture(2_500_000_000, lambda: False)
    with FileReader(LIMITS, budget=budget) as second:
        found: list[str] = []
        waiting = threading.Thread(target=lambda: found.extend(read(second, tmp_path / "a.looks")))
        waiting.start()
        waiting.join(2.5)
        assert waiting.is_alive()
        budget.give_back(2_500_000_000, of_picture=True)
        waiting.join(20)
    assert len(found) == 1


@pytest.mark.slow
def test_a_part_that_breaks_the_worker_costs_itself_only(reader: FileReader, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes({"1.txt": "one", "2.crash": "x", "3.txt": "three"}))
    found = list(reader.read(SourceFile(path, tmp_path)))
    assert [item.text if isinstance(item, Document) else item.details["where"] for item in found] == [
        "one", "2.crash", "three",
    ]  # fmt: skip
    path.write_bytes(zip_bytes({f"{number}.crash": "x" for number in range(4)}))
    lost = [item for item in reader.read(SourceFile(path, tmp_path)) if isinstance(item, DocumentUnreadable)]
    assert [item.details["where"] for item in lost] == ["0.crash", "1.crash", "2.crash"]


@pytest.mark.slow
def test_documents_cross_the_border_unharmed(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "---\ntitle: 费用\nupdated: 2026-01-02\naudience: internal\nx: '1'\n---\n行一\n\n" + "长🙂" * 200_000
    )
    with FileReader(LIMITS) as reader:
        (found,) = reader.read(SourceFile(path, tmp_path))
        assert isinstance(found, DocumentUnreadable)  # 1.4 MB of UTF-8
        path.write_text(
            "---\ntitle: 费用\nupdated: 2026-01-02\naudience: internal\nx: '1'\n---\n行一\n\n" + "长🙂" * 100_000
        )
        (found,) = reader.read(SourceFile(path, tmp_path))
    assert isinstance(found, Document)
    assert (found.title, str(found.updated_on), found.audience, found.metadata["x"]) == (
        "费用",
        "2026-01-02",
        "internal",
        "1",
    )
    assert found.text == "行一\n\n" + "长🙂" * 100_000


@pytest.mark.slow
def test_a_file_that_is_left_half_read_does_not_answer_for_the_next(tmp_path: Path) -> None:
    rows = tmp_path / "a.jsonl"
    rows.write_text("\n".join(f'{{"id": "{number}", "text": "row {number}"}}' for number in range(100)))
    with FileReader(LIMITS) as reader:
        documents = reader.read(SourceFile(rows, tmp_path))
        next(documents)
        documents.close()  # type: ignore[attr-defined]
        assert read(reader, tmp_path / "b.txt", "next") == ["next"]


@pytest.mark.slow
def test_a_worker_that_was_killed_between_two_files_is_replaced(tmp_path: Path) -> None:
    with FileReader(LIMITS) as reader:
        assert read(reader, tmp_path / "a.txt") == ["text"]
        assert reader._worker is not None
        os.kill(reader._worker.pid, signal.SIGKILL)
        reader._worker.wait()
        assert read(reader, tmp_path / "a.txt") == ["text"]


@pytest.mark.slow
def test_leaving_ends_the_worker(tmp_path: Path) -> None:
    with FileReader(LIMITS) as reader:
        read(reader, tmp_path / "a.txt")
        assert reader._worker is not None
        worker = reader._worker
    assert worker.returncode is not None
    assert reader._worker is None


def test_a_worker_that_cannot_be_started_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    opened = []
    open_pair = socket.socketpair
    monkeypatch.setattr("socket.socketpair", lambda: opened.append(open_pair()) or opened[-1])
    with FileReader(LIMITS) as reader, pytest.raises(ReaderUnavailable) as raised:
        read(reader, tmp_path / "a.txt")
    assert isinstance(raised.value.__cause__, FileNotFoundError)
    assert [one.fileno() for one in opened[0]] == [-1, -1]


def test_a_timeout_below_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.1"):
        FileReader(LIMITS, timeout_seconds=0.1)


def test_a_process_that_cannot_start_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, reason in ((errno.EMFILE, "descriptors"), (errno.ENOMEM, "memory"), (errno.EACCES, "failed")):

        def no_worker(number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("ingest.reader._open_worker", no_worker)
        with FileReader(LIMITS) as reader, pytest.raises(ReaderUnavailable) as raised:
            read(reader, tmp_path / "a.txt")
        assert raised.value.details["reason"] == reason


def test_a_file_that_cannot_be_opened_for_want_of_descriptors_is_not_at_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none_left(path: Path) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    monkeypatch.setattr("ingest.loaders.source._open_without_links", none_left)
    with FileReader(LIMITS) as reader, pytest.raises(ReaderUnavailable, match="too many files are open"):
        read(reader, tmp_path / "a.txt")


@pytest.mark.slow
def test_a_process_that_ends_at_its_start_is_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text("import os\nos._exit(1)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    with FileReader(LIMITS) as reader, pytest.raises(ReaderUnavailable) as raised:
        read(reader, tmp_path / "a.txt")
    assert raised.value.text("zh").startswith("本机目前无法读取文件，问题不在文件本身：")


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["-n 32", "-v 2000000"])
def test_files_are_read_within_low_limits_of_the_shell(tmp_path: Path, limit: str) -> None:
    (tmp_path / "a.txt").write_text("text")
    program = (
        "import sys; from pathlib import Path; from ingest.reader import FileReader; "
        "from ingest.loaders.source import Limits, SourceFile; from rag.settings import Settings; "
        "path = Path(sys.argv[1]); reader = FileReader(Limits.of(Settings(data_dir=path.parent))); "
        "print([found.text for found in reader.read(SourceFile(path, path.parent))]); reader.close()"
    )
    done = subprocess.run(
        ["sh", "-c", f'ulimit {limit}; exec "$0" -c "$1" "$2"', sys.executable, program, str(tmp_path / "a.txt")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "['text']\n"), done.stderr
