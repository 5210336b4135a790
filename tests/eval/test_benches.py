"""The benchmarks run in a checkout; an installed package, which has none, says so in one sentence."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from eval import __main__ as command
from eval import benches
from eval.benches import BENCHMARKS, benchmark_main, benchmark_module
from eval.compare.report_page import run_plots
from eval.core.runs import Run
from rag.errors import BenchmarkMissing


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installed package: there is no ``eval.bench``."""
    for name in [name for name in sys.modules if name == "eval.bench" or name.startswith("eval.bench.")]:
        monkeypatch.delitem(sys.modules, name)

    def import_without_benches(name: str) -> object:
        if name.startswith("eval.bench."):
            raise ModuleNotFoundError("No module named 'eval.bench'", name="eval.bench")
        return import_module(name)

    monkeypatch.setattr(benches, "import_module", import_without_benches)


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - {"compare langchain"}))
@pytest.mark.slow
def test_a_checkout_has_every_benchmark(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([*name.split(), "--help"])
    assert ended.value.code == 0
    assert f"python -m eval {name}" in capsys.readouterr().out


@pytest.mark.slow
def test_a_checkout_compares_with_langchain(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["compare", "langchain", "--help"])
    assert ended.value.code == 0
    assert "compare langchain" in capsys.readouterr().out


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize(("locale", "said"), [("C.UTF-8", "source checkout"), ("zh_CN.UTF-8", "源代码仓库")])
@pytest.mark.usefixtures("installed")
def test_an_installed_package_says_where_the_benchmark_is(
    name: str, locale: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert command.main([*name.split(), "--help"]) == BenchmarkMissing.exit_code
    written = capsys.readouterr().err
    assert said in written
    assert written.count("\n") == 1


@pytest.mark.usefixtures("installed")
def test_a_report_of_a_load_test_needs_the_checkout(tmp_path: Path) -> None:
    run = Run(tmp_path / "load")
    run.begin({"command": "load"}, [])
    run.save_figures({})
    with pytest.raises(BenchmarkMissing):
        run_plots(run, "en")


def test_a_package_that_a_benchmark_lacks_is_not_taken_for_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_without_starlette(name: str) -> object:
        raise ModuleNotFoundError("No module named 'starlette'", name="starlette")

    monkeypatch.setattr(benches, "import_module", import_without_starlette)
    with pytest.raises(ModuleNotFoundError, match="starlette"):
        benchmark_main("load")
    with pytest.raises(ModuleNotFoundError, match="starlette"):
        benchmark_module("load.report")
