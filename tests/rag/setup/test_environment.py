"""The virtual environment, made by an uv that notes what it is told."""

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from rag.settings import Settings
from rag.setup import environment
from rag.setup.environment import (
    UNLOADED,
    EnvironmentFailed,
    cache_folder,
    main,
    make_environment,
    without_packages,
)

FAKE_UV = """#!/bin/sh
if [ "$1 $2" = "pip compile" ]; then echo "probe $@" >> {folder}/calls; cat {folder}/cpu-lock; exit; fi
echo "$UV_DEFAULT_INDEX|$UV_CACHE_DIR|$@" >> {folder}/calls
if [ "$1" = venv ]; then mkdir -p {checkout}/.venv/bin && touch {checkout}/.venv/bin/python; fi
if [ "$1 $2" = "pip sync" ]; then for last; do :; done; cp "$last" {folder}/synced; fi
if [ "$1 $2" = "pip install" ]; then for last; do :; done; cp "$last" {folder}/added; fi
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
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CACHE_DIR", "ANSWERDESK_TORCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ANSWERDESK_TORCH_INDEX", raising=False)
    monkeypatch.setattr(environment, "_SIGNS_OF_A_GPU", (tmp_path / "gpu",))
    monkeypatch.setattr(environment.sys, "platform", "linux")
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
    monkeypatch.delenv("ANSWERDESK_CACHE_DIR", raising=False)
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


def test_a_cache_that_is_no_folder_keeps_its_rights(machine: Machine) -> None:
    cache = machine.folder / "cache"
    os.mkfifo(cache)
    cache.chmod(0o666)
    with pytest.raises(EnvironmentFailed, match="is not a folder"):
        machine.make("run")
    assert cache.stat().st_mode & 0o777 == 0o666


def test_a_user_without_a_home_folder_is_told_to_name_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    monkeypatch.delenv("ANSWERDESK_CACHE_DIR", raising=False)
    with pytest.raises(
        EnvironmentFailed, match=r"ANSWERDESK_CACHE_DIR: ~/\.cache/answerdesk .* set the variable to a folder"
    ):
        cache_folder()


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


LOCK_WITH_TORCH = """numpy==2.0 \\
    --hash=sha256:a0
nvidia-cudnn-cu13==9.0 ; sys_platform == 'linux' \\
    --hash=sha256:a1
nvidia-cusolver==12.0 ; sys_platform == 'linux' \\
    --hash=sha256:a2
nvidia-ml-py==13.0 \\
    --hash=sha256:a3
torch==9.1 \\
    --hash=sha256:a4 \\
    --hash=sha256:a5
torchvision==9.2 \\
    --hash=sha256:a6
triton==3.9 ; sys_platform == 'linux' \\
    --hash=sha256:a7
"""
CPU_LOCK = "torch==9.1+cpu --hash=sha256:b0\n"
WITHOUT_TORCH = {"numpy": ["a0"], "nvidia-ml-py": ["a3"], "torchvision": ["a6"]}
TRIMMED = WITHOUT_TORCH | {"nvidia-cudnn-cu13": ["a1"], "torch": ["a4", "a5"]}
FULL = TRIMMED | {"nvidia-cusolver": ["a2"], "triton": ["a7"]}


def _hashes(lock: str) -> dict[str, list[str]]:
    """Return the hashes of each package of a lock."""
    found: dict[str, list[str]] = {}
    for line in lock.splitlines():
        if not line.startswith(" "):
            name = line.split("==")[0]
        found.setdefault(name, []).extend(re.findall(r"sha256:(\w+)", line))
    return found


@pytest.fixture
def with_torch(machine: Machine) -> Machine:
    (machine.checkout / "requirements.lock").write_text(LOCK_WITH_TORCH, encoding="utf-8")
    (machine.checkout / "requirements-dev.lock").write_text(f"{LOCK_WITH_TORCH}ruff==1 --hash=sha256:c0\n")
    return machine


def _installed(machine: Machine) -> dict[str, list[str]]:
    return _hashes((machine.folder / "synced").read_text(encoding="utf-8"))


def _probes(machine: Machine) -> list[str]:
    return [line for line in (machine.folder / "calls").read_text().splitlines() if line.startswith("probe")]


def test_a_package_that_is_left_out_takes_its_hashes_along() -> None:
    assert _hashes(without_packages(LOCK_WITH_TORCH, "cpu")) == WITHOUT_TORCH
    assert _hashes(without_packages(LOCK_WITH_TORCH, "none")) == WITHOUT_TORCH
    assert _hashes(without_packages(LOCK_WITH_TORCH, "trimmed")) == TRIMMED


def test_without_a_gpu_torch_is_the_cpu_build_of_its_index(
    with_torch: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    (with_torch.folder / "cpu-lock").write_text(CPU_LOCK, encoding="utf-8")
    assert with_torch.make("run") == "done"
    assert _installed(with_torch) == WITHOUT_TORCH
    assert (with_torch.folder / "added").read_text(encoding="utf-8") == CPU_LOCK
    install = (with_torch.folder / "calls").read_text().splitlines()[-1]
    assert "--no-deps --require-hashes" in install
    assert "--torch-backend cpu" in install, "the index that uv knows"
    said = capsys.readouterr().out
    assert "downloads about 0.6 GB" in said
    assert "Left out: 4.8 GB of CUDA libraries" in said, "7.1 - 2.3"
    assert (with_torch.make("run"), len(_probes(with_torch))) == ("here", 1), "the second start asks nobody"


def test_where_no_index_answers_only_what_nothing_loads_is_left_out(
    with_torch: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    with_torch.make("dev")
    assert _installed(with_torch) == TRIMMED | {"ruff": ["c0"]}
    assert not (with_torch.folder / "added").exists()
    assert "Left out: 1.3 GB (Triton, cuSOLVER)" in capsys.readouterr().out, "7.1 - 5.8"


@pytest.mark.parametrize("how", ["a GPU", "on request"])
def test_with_a_gpu_or_on_request_all_is_installed(
    with_torch: Machine, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "a GPU":
        (with_torch.folder / "gpu").touch()
    else:
        monkeypatch.setenv("ANSWERDESK_TORCH", "full")
    with_torch.make("run")
    assert _installed(with_torch) == FULL
    assert _probes(with_torch) == []


def test_the_full_build_takes_the_place_of_another_on_request_alone(
    with_torch: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWERDESK_TORCH", "none")
    assert (with_torch.make("run"), _installed(with_torch)) == ("done", WITHOUT_TORCH)
    monkeypatch.delenv("ANSWERDESK_TORCH")
    assert with_torch.make("run") == "here"
    monkeypatch.setenv("ANSWERDESK_TORCH", "full")
    assert (with_torch.make("run"), _installed(with_torch)) == ("done", FULL)
    monkeypatch.setenv("ANSWERDESK_TORCH", "auto")
    assert with_torch.make("run") == "here", "what is here serves"


def test_the_tests_never_go_without_torch(with_torch: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_TORCH", "none")
    with_torch.make("dev")
    monkeypatch.delenv("ANSWERDESK_TORCH")
    assert (with_torch.make("run"), with_torch.make("dev")) == ("here", "done")
    assert _installed(with_torch) == TRIMMED | {"ruff": ["c0"]}


def test_a_cpu_build_that_was_asked_for_and_cannot_be_had_is_an_error(
    with_torch: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWERDESK_TORCH", "cpu")
    monkeypatch.setenv("ANSWERDESK_TORCH_INDEX", "http://127.0.0.1:9/cpu")
    with pytest.raises(EnvironmentFailed, match=r"torch 9\.1 could not be had as a CPU build: .*cpu-lock"):
        with_torch.make("run")
    assert "--default-index http://127.0.0.1:9/cpu" in _probes(with_torch)[0]


def test_an_unknown_build_is_named(with_torch: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_TORCH", "tiny")
    with pytest.raises(EnvironmentFailed, match="ANSWERDESK_TORCH is tiny; it can be: auto, cpu, full, none"):
        with_torch.make("run")


# with the real uv, and indexes of this machine


def _wheel(folder: Path, name: str, version: str, *, megabytes: int) -> str:
    """Put a wheel into the folder of an index and return its line of a lock."""
    project = folder / name
    project.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    path = project / f"{module}-{version}-py3-none-any.whl"
    about = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{module}.data.bin": "x" * (megabytes * 1_000_000),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        wheel.writestr(f"{about}/RECORD", "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"]))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    link = f'<a href="{path.name.replace("+", "%2B")}#sha256={found}">{path.name}</a>'
    (project / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>", encoding="utf-8")
    return f"{name}=={version} \\\n    --hash=sha256:{found}\n"


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.real
def test_the_cpu_build_of_a_local_index_is_installed_with_its_own_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real_uv = cache_folder() / "build-tools" / "wheels" / "uv" / "bin"
    monkeypatch.setenv("PATH", f"{real_uv}:{os.environ['PATH']}")
    assert shutil.which("uv") is not None, "make setup-test brings it"
    monkeypatch.setenv("ANSWERDESK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setattr(environment, "_SIGNS_OF_A_GPU", ())
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CACHE_DIR", "ANSWERDESK_TORCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sizes = {"numpy": 2, "nvidia-cudnn": 20, "torch": 10, "triton": 20}
    lock = "".join(_wheel(tmp_path / "all", name, "9.1", megabytes=size) for name, size in sizes.items())
    _wheel(tmp_path / "cpu", "torch", "9.1+cpu", megabytes=5)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in environment.LOCKS.values():
        (checkout / name).write_text(lock, encoding="utf-8")
    with _served(tmp_path / "all") as everything, _served(tmp_path / "cpu") as cpu:
        monkeypatch.setenv("PIP_INDEX_URL", everything)
        monkeypatch.setenv("ANSWERDESK_TORCH_INDEX", cpu)
        assert make_environment("run", checkout) == "done"
    packages = next((checkout / ".venv" / "lib").glob("python3*/site-packages"))
    found = {one.name: one.version for one in importlib.metadata.distributions(path=[str(packages)])}
    assert found == {"numpy": "9.1", "torch": "9.1+cpu"}
    assert "torch's CPU build" in capsys.readouterr().out
    held = sum(path.lstat().st_size for path in packages.rglob("*.bin"))
    assert held == 7_000_000, "2 MB and 5 MB, where the lock's packages hold 52"


@pytest.mark.real
def test_torch_computes_on_a_cpu_without_what_is_left_out() -> None:
    program = (
        "import sys; sys.modules |= {'triton': None, 'cuda': None}\n"  # as if they were not there
        "import torch, sentence_transformers\n"
        "print(torch.nn.Linear(4, 4)(torch.ones(2, 4)).sum().requires_grad)\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if 'site-packages' in line}, sep='\\n')"
    )
    packages = Path(sysconfig.get_paths()["purelib"])
    hidden = sorted(packages.glob("nvidia/**/libcusolver.so*"))  # a machine with a GPU has it
    command = [*_without(hidden[0].parent, "libcusolver"), sys.executable] if hidden else [sys.executable]
    done = subprocess.run([*command, "-c", program], capture_output=True, text=True, check=True)
    computed, *mapped = done.stdout.splitlines()
    assert computed == "True"
    assert any("libtorch_cpu" in path for path in mapped)
    assert [path for path in mapped if "cusolver" in path] == []
    assert {"triton", "cuda-bindings", "cuda-pathfinder", "nvidia-cusolver"} == UNLOADED


def _without(folder: Path, name: str) -> list[str]:
    """Return the beginning of a command for which the files of a folder that begin with a name are not there."""
    command = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", str(folder)]
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(name):
            command += ["--ro-bind", str(path), str(path)]
    return command
