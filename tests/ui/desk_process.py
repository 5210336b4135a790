"""A desk in a process of its own that need not import Streamlit and the product anew.

The first desk of a pytest process starts a server that has imported them, and each desk is forked from it: the imports
take three seconds of processor time, and a file may start a desk for each of its tests.  The server ends with the
process that started it, however that ends, and the desks end with the server.
"""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rag.priority import parent_death_hook

CHECKOUT = Path(__file__).parents[2]
_IMPORTED = "tests.ui.desk_imports"


class DeskProcess:
    """``python -m MODULE ARGUMENTS`` in the checkout, with this process's environment, and its output in ``log``.

    It has the methods of ``subprocess.Popen`` that its users need.
    """

    def __init__(self, module: str, arguments: Sequence[str], log: Path) -> None:
        log.touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_IMPORTED])
        self._process = context.Process(target=_serve, args=(module, [*arguments], log, dict(os.environ)))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, once it has ended."""
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, timeout: float) -> int:
        """Return the exit code; where it has not ended after ``timeout`` seconds, the test fails."""
        self._process.join(timeout)
        code = self.poll()
        assert code is not None, f"process {self.pid} does not end"
        return code


def _serve(module: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    """Become what ``python -m module`` would be."""
    parent_death_hook(signal.SIGKILL, os.getppid())()
    with log.open("ab", buffering=0) as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(CHECKOUT)
    sys.argv[1:] = arguments
    sys.modules.pop(module, None)  # it runs under the name of the main program
    runpy.run_module(module, run_name="__main__", alter_sys=True)
