"""Downloads against a server that breaks off, lies, repeats itself, or says nothing."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rag.errors import ChecksumMismatch, DownloadFailed
from rag.setup import download
from rag.setup.download import Patience, Source, fetch, sha256_of
from tests.conftest import free_port

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(first_word_seconds=0.5, silence_seconds=0.3)


class FileServer(ThreadingHTTPServer):
    """Serves ``content``.  ``breaks`` says after how many bytes each of the first answers is cut."""

    daemon_threads = True

    def __init__(self) -> None:
        self.content = CONTENT
        self.ranges = True
        self.breaks: list[int] = []
        self.stalls_after: int | None = None
        self.silent = False
        self.status = 200
        self.asked: list[str | None] = []
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), _FileHandler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file.bin"


class _FileHandler(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.silent:
            server.released.wait(10)
            return
        if server.status != 200:
            self.send_error(server.status)
            return
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if first >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.breaks:
            self.wfile.write(body[: server.breaks.pop(0)])
        elif server.stalls_after is not None:
            self.wfile.write(body[: server.stalls_after])
            self.wfile.flush()
            server.stalls_after = None
            server.released.wait(10)
        else:
            self.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.05)
    with FileServer() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield found
        found.released.set()
        found.shutdown()
        thread.join(timeout=5)


def source(server: FileServer, sha256: str = SHA256) -> Source:
    return Source(server.url, "file.bin", sha256)


def test_whole_file_with_progress(server: FileServer, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "deep" / "file.bin"
    fetch(source(server), target, update=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (1048576, 1048576)
    assert [file.name for file in target.parent.iterdir()] == ["file.bin"]


def test_broken_connections_are_taken_up_where_they_broke(server: FileServer, tmp_path: Path) -> None:
    server.breaks = [100_000, 200_000, 300_000]
    fetch(source(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=300000-", "bytes=600000-"]


def test_a_later_run_goes_on_from_what_is_there(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(CONTENT[:1000])
    fetch(source(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_a_server_without_ranges_is_read_from_the_beginning(server: FileServer, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "f.part").write_bytes(b"x" * 1000)
    fetch(source(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_finished_part_only_takes_its_name(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(CONTENT)
    fetch(source(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked == ["bytes=1048576-"]


def test_a_part_longer_than_the_file_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(CONTENT + b"more")
    fetch(source(server), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked == ["bytes=1048580-", None]


def test_another_file_than_was_pinned_is_refused_and_deleted(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ChecksumMismatch) as error:
        fetch(source(server, "0" * 64), tmp_path / "f")
    assert error.value.details["found"] == SHA256
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_silent_server_is_given_up_within_the_patience(server: FileServer, tmp_path: Path) -> None:
    server.silent = True
    with pytest.raises(DownloadFailed, match="does not answer") as error:
        fetch(source(server), tmp_path / "f", patience=QUICK)
    assert error.value.text("zh").startswith("file.bin 下载失败：服务器没有响应。")


@pytest.mark.slow
def test_a_download_that_stalls_is_taken_up_again(server: FileServer, tmp_path: Path) -> None:
    server.stalls_after = 5000
    fetch(source(server), tmp_path / "f", patience=QUICK)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=5000-"]


def test_a_connection_that_breaks_again_and_again_keeps_what_came(server: FileServer, tmp_path: Path) -> None:
    server.breaks = [700, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed, match="broke again and again"):
        fetch(source(server), tmp_path / "f")
    assert (tmp_path / "f.part").read_bytes() == CONTENT[:700]
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(("status", "words"), [(404, "does not have it"), (403, "refused"), (500, "refused")])
def test_what_the_server_answers_is_put_in_words(server: FileServer, tmp_path: Path, status: int, words: str) -> None:
    server.status = status
    with pytest.raises(DownloadFailed, match=words):
        fetch(source(server), tmp_path / "f")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="does not answer"):
        fetch(Source(f"http://127.0.0.1:{free_port()}/f", "f"), tmp_path / "f")


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
