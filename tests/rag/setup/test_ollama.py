"""Which way Ollama is brought, and the real build's kernels."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rag.errors import BuildFailed, DownloadFailed
from rag.ollama.install import built_folder, cpu_variant, find_ollama, installed_folder, release_folder
from rag.settings import Settings
from rag.setup import ollama
from rag.setup.console import Console, Outcome
from rag.setup.ollama import provide_ollama
from rag.setup.ollama_build import loads_cpu_kernels
from tests.conftest import free_port
from tests.ollama_stub import OllamaStub


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A machine without Ollama, whose release page is out of reach and whose build is instant."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(ollama, "ollama_on_path", lambda: None)
    monkeypatch.setattr(ollama, "install_release", _raises(DownloadFailed(what="x", reason="silent", remedy="again")))
    monkeypatch.setattr(ollama, "build_ollama", lambda settings, console: _install(built_folder(settings)))
    return Settings(data_dir=tmp_path, cache_dir=tmp_path / "cache", ollama_host=f"127.0.0.1:{free_port()}")


def _raises(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def _install(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "ollama").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "ollama").chmod(0o755)
    (folder / "installed.json").write_text(json.dumps({"binary": "ollama"}), encoding="utf-8")


def provide(settings: Settings) -> tuple[Outcome, str]:
    out = io.StringIO()
    return provide_ollama(settings, Console("en", out)), out.getvalue()


def test_a_server_that_answers_is_adopted(settings: Settings) -> None:
    with OllamaStub() as stub:
        outcome, _ = provide(settings.model_copy(update={"ollama_host": stub.url}))
    assert outcome == Outcome("Ollama", "adopted", {"url": stub.url})


def test_several_hosts_are_used_as_they_are_and_nothing_is_fetched(settings: Settings) -> None:
    several = settings.changed(ollama_host="gpu-a.invalid,gpu-b.invalid:1")
    urls = "http://gpu-a.invalid:11434, http://gpu-b.invalid:1"
    assert provide(several) == (Outcome("Ollama", "adopted", {"url": urls}), "")


def test_for_a_host_on_another_machine_nothing_is_installed_here_also_where_it_is_down(settings: Settings) -> None:
    away = settings.changed(ollama_host="gpu-a.invalid")
    assert provide(away) == (Outcome("Ollama", "adopted", {"url": "http://gpu-a.invalid:11434"}), "")


def test_the_users_own_is_taken(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "ollama_on_path", lambda: Path("/opt/ollama"))
    assert provide(settings)[0] == Outcome("Ollama", "on_path", {"path": Path("/opt/ollama")})


def test_the_release_comes_first(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "install_release", lambda settings, console: _install(release_folder(settings)))
    assert provide(settings)[0].way == "release"
    assert provide(settings)[0].way == "here"


def test_out_of_reach_it_is_built_and_that_is_said(settings: Settings) -> None:
    outcome, said = provide(settings)
    assert outcome == Outcome("Ollama", "built", {"variant": cpu_variant()})
    assert said == "  Ollama's release page gives nothing (the server does not answer); next way: the source\n"
    assert find_ollama(settings).parent == built_folder(settings)
    assert provide(settings) == (Outcome("Ollama", "here"), "")


def test_a_failed_build_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "build_ollama", _raises(BuildFailed(what="Ollama", log="build.log")))
    with pytest.raises(BuildFailed, match="Building Ollama failed"):
        provide(settings)


@pytest.mark.slow
def test_a_program_that_loads_nothing_fails_the_check(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "ollama"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho no kernels here\n", encoding="utf-8")
    program.chmod(0o755)
    assert not loads_cpu_kernels(program, tmp_path / "log")
    assert "no kernels here" in (tmp_path / "log").read_text()


@pytest.mark.real
def test_the_real_ollama_loads_its_cpu_kernels(tmp_path: Path) -> None:
    settings = Settings()
    assert installed_folder(built_folder(settings)) or installed_folder(release_folder(settings)), "run: make setup"
    assert loads_cpu_kernels(find_ollama(settings), tmp_path / "log")
