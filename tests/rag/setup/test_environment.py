"""The virtual environment, made by an uv that notes what it is told."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rag.settings import Settings
from rag.setup import environment
from rag.setup.environment import EnvironmentFailed, cache_folder, main, make_environment

FAKE_UV = """#!/bin/sh
echo "$UV_DEFAULT_INDEX|$UV_CACHE_DIR|$@" >> {folder}/calls
if [ "$1" = venv ]; then mkdir -p {checkout}/.venv/bin && touch {checkout}/.venv/bin/python; fi
if [ -e {folder}/fails ] && [ "$1" = pip ]; then echo "error: no network" >&2; exit 2; fi
"""


class Machine:
    """A checkout with two lock files, a cache, and a fake uv on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.checkout.mkdir()
        for kind, name in environment.LOCKS.items():
            (self.checkout / name).write_text(f"{kind}==1.0 --hash=sha256:aa\n", encoding="utf-8")
        uv = folder / "bin" / "uv"
        uv.parent.mkdir()
        uv.write_text(FAKE_UV.format(folder=folder, checkout=self.checkout), encoding="utf-8")
        uv.chmod(0o755)

    def make(self, kind: str) -> str:
        return make_environment(kind, self.checkout)

    @property
    def syncs(self) -> list[str]:
        """The lock files that uv was told to install."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        return [Path(line.split()[-1]).name for line in lines if "pip sync" in line]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("ANSWERDESK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    return Machine(tmp_path)


def test_the_second_time_nothing_is_done(machine: Machine) -> None:
    assert machine.make("run") == "done"
    assert machine.make("run") == "here"
    assert machine.syncs == ["requirements.lock"]


def test_the_environment_for_development_serves_both(machine: Machine) -> None:
    assert [machine.make(kind) for kind in ("run", "dev", "run")] == ["done", "done", "here"]
    assert machine.syncs == ["requirements.lock", "requirements-dev.lock"]


def test_a_changed_lock_is_installed(machine: Machine) -> None:
    machine.make("run")
    (machine.checkout / "requirements.lock").write_text("run==2.0 --hash=sha256:bb\n", encoding="utf-8")
    assert machine.make("run") == "done"


def test_hashes_are_demanded_and_the_caches_are_ours(machine: Machine) -> None:
    machine.make("dev")
    sync = next(line for line in (machine.folder / "calls").read_text().splitlines() if "pip sync" in line)
    assert "--require-hashes" in sync
    assert sync.startswith(f"https://mirror.example/simple|{machine.folder / 'cache' / 'uv'}|"), "pip's mirror, too"


def test_a_failure_is_no_environment_and_says_what_to_do(machine: Machine) -> None:
    (machine.folder / "fails").touch()
    with pytest.raises(EnvironmentFailed, match=r"no network.*run the same command again"):
        machine.make("run")
    (machine.folder / "fails").unlink()
    assert machine.make("run") == "done"


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(environment, "_OLDEST_PYTHON", (99, 0))
    monkeypatch.setenv("LC_ALL", "C")
    assert main(["run"]) == 5
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err


def test_it_runs_before_anything_is_installed() -> None:
    """With the standard library alone (-S -I), from another folder."""
    program = [sys.executable, "-S", "-I", "-c", f"import runpy; runpy.run_path({environment.__file__!r})"]
    done = subprocess.run(program, capture_output=True, text=True, cwd=os.sep, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_cache_is_that_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for named in (str(tmp_path), "~/elsewhere"):
        monkeypatch.setenv("ANSWERDESK_CACHE_DIR", named)
        assert cache_folder() == Settings().cache_dir
    monkeypatch.delenv("ANSWERDESK_CACHE_DIR")
    assert cache_folder() == Settings().cache_dir.resolve()


def test_the_stamp_is_the_sum_of_the_lock(machine: Machine) -> None:
    machine.make("dev")
    expected = hashlib.sha256((machine.checkout / "requirements-dev.lock").read_bytes()).hexdigest()
    assert (machine.checkout / ".venv" / "answerdesk.stamp").read_text() == expected


@pytest.mark.parametrize("name", ["logs/environment.log", "locks/environment-{checkout}.lock"])
def test_neither_log_nor_lock_is_written_through_a_link(machine: Machine, name: str) -> None:
    checkout = hashlib.sha256(str(machine.checkout).encode()).hexdigest()[:12]
    victim = machine.folder / "victim"
    victim.write_text("kept", encoding="utf-8")
    link = machine.folder / "cache" / name.format(checkout=checkout)
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    with pytest.raises(EnvironmentFailed, match=f"{link.name} is a link"):
        machine.make("run")
    assert victim.read_text(encoding="utf-8") == "kept"


def test_a_cache_that_others_can_write_to_is_closed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    cache = machine.folder / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    machine.make("run")
    assert cache.stat().st_mode & 0o777 == 0o755
    assert "could write to" in capsys.readouterr().out


def test_a_new_cache_is_the_users_alone(machine: Machine) -> None:
    machine.make("run")
    assert (machine.folder / "cache").stat().st_mode & 0o777 == 0o700


def test_a_cache_of_another_user_is_not_used(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = machine.folder.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    if owner == 0:  # root's folders are trusted: give this one to somebody
        (machine.folder / "cache").mkdir()
        os.chown(machine.folder / "cache", 12_345, -1)
    with pytest.raises(EnvironmentFailed, match="belongs to another user"):
        machine.make("run")
    assert not (machine.folder / "calls").exists()


def test_the_uv_that_path_names_is_told(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.make("run")
    assert f"with {machine.folder / 'bin' / 'uv'}, the uv on PATH" in capsys.readouterr().out


def test_the_library_for_sign_ins_with_a_provider_is_installed_with_hashes() -> None:
    lock = (Path(__file__).parents[3] / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"^authlib==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
