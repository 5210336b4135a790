"""The benchmarks of a source checkout: ``eval/bench`` is not in the installed package."""

from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType

from rag.errors import BenchmarkMissing

BENCHMARKS = {
    "attacks": "attacks.command",
    "cache": "cache.command",
    "ingest": "ingest.command",
    "database": "database",
    "large": "large.command",
    "load": "load.command",
    "sharing": "sharing",
    "simulate": "simulate.command",
    "workers": "workers.command",
    "compare langchain": "langchain.command",
}
"""The commands of ``python -m eval`` that run a benchmark, with their modules below ``eval.bench``."""

_FOLDER = "eval.bench"


def benchmark_module(name: str) -> ModuleType:
    """Import ``eval.bench.NAME``.  Raises ``BenchmarkMissing`` in an installed package, which has no benchmarks."""
    try:
        return import_module(f"{_FOLDER}.{name}")
    except ModuleNotFoundError as error:
        if error.name != _FOLDER:
            raise  # the benchmark is here, and a package that it needs is not
        raise BenchmarkMissing(name=name.partition(".")[0]) from error


def benchmark_main(command: str) -> Callable[[Sequence[str]], int]:
    """Return the main function of a command in ``BENCHMARKS``.  Raises ``BenchmarkMissing``."""
    main: Callable[[Sequence[str]], int] = benchmark_module(BENCHMARKS[command]).main
    return main
