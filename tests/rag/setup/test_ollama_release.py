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
from rag.ollama.install import OLLAMA_VERSION, find_ollama, installed_folder, ollama_binary, release_folder
from rag.settings import Settings
from rag.setup import ollama
from rag.setup.console import Console
from rag.setup.ollama import install_release
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
    """A folder that is served; ``publish`` fills it as Ollama's release workflow does, and pins what it publishes."""

    def __init__(self, folder: Path, url: str, sums: dict[tuple[str, str], str]) -> None:
        self.folder = folder
        self.url = url
        self.sums = sums

    def publish(self, content: bytes, *, pinned: bytes | None = None) -> None:
        """Serve an archive beside its own sum; ``pinned`` is the one that this program knows, if it is another."""
        (self.folder / ARCHIVE).write_bytes(content)
        (self.folder / "sha256sum.txt").write_text(f"{hashlib.sha256(content).hexdigest()}  ./{ARCHIVE}\n")
        self.sums["0.24.0", ARCHIVE] = hashlib.sha256(content if pinned is None else pinned).hexdigest()


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleasePage]:
    sums: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(ollama, "SHA256", sums)
    folder = tmp_path / "page"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield ReleasePage(folder, f"http://127.0.0.1:{server.server_address[1]}", sums)
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(ollama.platform, "system", lambda: "Linux")
    monkeypatch.setattr(ollama.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(ollama, "gpu_memory_bytes", lambda: 0)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return Settings(cache_dir=tmp_path / "cache")


def install(settings: Settings, page: ReleasePage) -> Path:
    return install_release(settings, Console("en", io.StringIO()), page=page.url)


def test_it_is_verified_unpacked_and_found(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS))
    folder = install(settings, page)
    assert folder == release_folder(settings)
    assert installed_folder(folder)
    assert find_ollama(settings) == ollama_binary(folder) == folder / "bin" / "ollama"
    assert (folder / "lib/ollama/libggml-base.so").read_bytes() == b"base"
    assert not list((settings.cache_dir / "downloads").iterdir())


def test_libraries_for_a_gpu_are_kept_only_where_there_is_one(
    settings: Settings, page: ReleasePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.publish(archive_of(MEMBERS))
    gpu_library = install(settings, page) / "lib/ollama/cuda_v13/libggml-cuda.so"
    assert not gpu_library.exists()
    monkeypatch.setattr(ollama, "gpu_memory_bytes", lambda: 8_000_000_000)
    install(settings, page)
    assert gpu_library.read_bytes() == b"gigabytes"


def test_an_archive_with_another_sum_is_refused_whatever_its_own_page_says(
    settings: Settings, page: ReleasePage
) -> None:
    page.publish(archive_of(MEMBERS), pinned=b"what Ollama released")
    with pytest.raises(ChecksumMismatch):
        install(settings, page)
    assert not installed_folder(release_folder(settings))


def test_an_archive_from_an_earlier_download_is_verified_as_well(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS))
    downloads = settings.cache_dir / "downloads"
    downloads.mkdir(parents=True)
    (downloads / f"0.24.0-{ARCHIVE}").write_bytes(archive_of({"bin/ollama": b"another"}))
    with pytest.raises(ChecksumMismatch):
        install(settings, page)
    assert installed_folder(install(settings, page)), "it was deleted, and the right one is fetched"


def test_a_version_without_a_pinned_sum_is_not_fetched(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS))
    page.sums.clear()
    with pytest.raises(DownloadFailed) as failure:
        install(settings, page)
    assert failure.value.details["reason"] == "unpinned"
    assert not (settings.cache_dir / "downloads").exists()


def test_every_archive_of_the_version_that_is_installed_is_pinned() -> None:
    pinned = {name for version, name in ollama.SHA256 if version == OLLAMA_VERSION}
    assert pinned == set(ollama._ARCHIVES.values())
    assert all(len(bytes.fromhex(digest)) == 32 for digest in ollama.SHA256.values())


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


def test_a_page_out_of_reach_is_given_up(settings: Settings, page: ReleasePage) -> None:
    page.publish(b"")
    page.url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(DownloadFailed) as failure:
        install(settings, page)
    assert failure.value.details["reason"] == "silent"


def test_other_machines_have_no_release(settings: Settings, page: ReleasePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama.platform, "machine", lambda: "riscv64")
    with pytest.raises(DownloadFailed) as failure:
        install(settings, page)
    assert failure.value.details["reason"] == "unsupported"


def test_the_record_names_the_version(settings: Settings, page: ReleasePage) -> None:
    page.publish(archive_of(MEMBERS))
    record = json.loads((install(settings, page) / "installed.json").read_text())
    assert record == {"binary": "bin/ollama", "version": "0.24.0", "release": True}
