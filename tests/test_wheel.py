"""The wheel: what is in it, and what it says about what is not."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import rag

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGES = ("rag", "ingest", "eval", "api", "ui")
BUILD = "import sys, setuptools.build_meta as backend; print(backend.build_wheel(sys.argv[1]))"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(CHECKOUT / name, source)
    for name in PACKAGES:
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(built)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(built.glob("*.whl")))


def test_the_benchmarks_stay_out_and_all_else_is_in(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if name.endswith(".py")}
    source = {path.relative_to(CHECKOUT).as_posix() for name in PACKAGES for path in (CHECKOUT / name).rglob("*.py")}
    assert source - held == {name for name in source if name.startswith(("eval/bench/", "api/bench/"))}
    assert held <= source


def test_the_data_files_of_the_code_are_in(wheel: zipfile.ZipFile) -> None:
    kinds = {".json", ".jsonl", ".lock", ".toml", ".js", ".css", ".html", ".npy", ".csv"}
    needed = {
        path.relative_to(CHECKOUT).as_posix()
        for name in PACKAGES
        for path in (CHECKOUT / name).rglob("*")
        if path.suffix in kinds and "eval/bench/" not in path.as_posix()
    }
    assert "rag/locale/zh/errors.toml" in needed
    assert needed - set(wheel.namelist()) == set()


def test_the_wheel_says_where_a_benchmark_is(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "eval", "load", "--help"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "load is part of the source checkout" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_wheel_installs_the_command_under_the_version_of_the_package(wheel: zipfile.ZipFile) -> None:
    names = {Path(name).name: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "answerdesk = ui.answerdesk:run" in wheel.read(names["entry_points.txt"]).decode()
    assert f"\nVersion: {rag.__version__}\n" in wheel.read(names["METADATA"]).decode()
