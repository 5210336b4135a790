"""The official release, from a release page on this machine."""

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import zstandard

from rag.errors import ChecksumMismatch, DownloadFailed
from rag.provisioning import ollama_release
from rag.provisioning.console import Console
from rag.provisioning.ollama_release import install_release
from rag.serving.install import find_ollama, installed_folder, ollama_in, release_folder
from rag.settings import Settings
from tests.conftest import free_port

ARCHIVE = "ollama-linux-amd64.tar.zst"
MEMBERS = {
    "bin/ollama": b"#!/bin/sh\n",
    "lib/ollama/libggml-base.so": b"base",
    "lib/ollama/cuda_v13/libggml-cuda.so": b"gigabytes",
}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def archive_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755
            tar.addfile(entry, io.BytesIO(content))
    return zstandard.ZstdCompressor().compress(buffer.getvalue())


class ReleasePage:
    """A folder that is served; ``publish`` fills it as Ollama's release workflow does."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def publish(self, content: bytes, sum_of: bytes | None = None) -> None:
        digest = hashlib.sha256(content if sum_of is None else sum_of).hexdigest()
        (self.folder / ARCHIVE).write_bytes(content)
        (self.folder / "sha256sum.txt").write_text(f"{'0' * 64}  ./install.sh\n{digest}  ./{ARCHIVE}\n")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[ReleasePage]:
    folder = tmp_path / "page"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield ReleasePage(folder, f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(ollama_release.platform, "system", lambda: "Linux")
    monkeypatch.setattr(ollama_release.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(ollama_release, "gpu_memory_bytes", lambda: 0)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return Settings(cache_dir=tmp_path / "cache")


def install(settings: Settings, page: ReleasePage) -> Path:
    return install_release(settings, Console("en", io.StringIO()), page=page.url)


def test_it_is_verified_unpacked_and_found(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS))
    folder = install(settings, page)
    assert folder == release_folder(settings)
    assert installed_folder(folder)
    assert find_ollama(settings) == ollama_in(folder) == folder / "bin" / "ollama"
    assert (folder / "lib/ollama/libggml-base.so").read_bytes() == b"base"
    assert not list((settings.cache_dir / "downloads").iterdir())


def test_libraries_for_a_gpu_are_kept_only_where_there_is_one(
    settings: Settings, page: ReleasePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.publish(archive_of(MEMBERS))
    gpu_library = install(settings, page) / "lib/ollama/cuda_v13/libggml-cuda.so"
    assert not gpu_library.exists()
    monkeypatch.setattr(ollama_release, "gpu_memory_bytes", lambda: 8_000_000_000)
    install(settings, page)
    assert gpu_library.read_bytes() == b"gigabytes"


def test_an_archive_with_another_sum_is_refused(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS), sum_of=b"another archive")
    with pytest.raises(ChecksumMismatch):
        install(settings, page)
    assert not installed_folder(release_folder(settings))


def test_an_archive_that_cannot_be_read_leaves_nothing(settings: Settings, page: ReleasePage) -> None:
    page.publish(b"no archive at all")
    with pytest.raises(DownloadFailed) as failure:
        install(settings, page)
    assert failure.value.details["reason"] == "broken"
    assert not installed_folder(release_folder(settings))
    assert not list((settings.cache_dir / "downloads").iterdir())


def test_an_archive_without_the_program_is_broken(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of({"README": b"nothing else"}))
    with pytest.raises(DownloadFailed):
        install(settings, page)


def test_members_that_point_outside_are_not_written(settings: Settings, page: ReleasePage, tmp_path: Path) -> None:
    page.publish(archive_of({**MEMBERS, "../../../escaped": b"x"}))
    with pytest.raises(DownloadFailed):
        install(settings, page)
    assert not list(tmp_path.rglob("escaped"))


def test_a_release_without_a_sum_for_the_archive_is_not_trusted(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS))
    (page.folder / "sha256sum.txt").write_text("", encoding="utf-8")
    with pytest.raises(DownloadFailed) as failure:
        install(settings, page)
    assert failure.value.details["reason"] == "absent"


def test_a_page_out_of_reach_is_given_up(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed) as failure:
        install(settings, ReleasePage(tmp_path, f"http://127.0.0.1:{free_port()}"))
    assert failure.value.details["reason"] == "silent"


def test_other_machines_have_no_release(settings: Settings, page: ReleasePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_release.platform, "machine", lambda: "riscv64")
    with pytest.raises(DownloadFailed) as failure:
        install(settings, page)
    assert failure.value.details["reason"] == "unsupported"


def test_the_record_names_the_version(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS))
    record = json.loads((install(settings, page) / "installed.json").read_text())
    assert record == {"binary": "bin/ollama", "version": "0.24.0", "release": True}
