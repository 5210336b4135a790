"""A training in a process of its own: its memory is free again before the tuned model is asked, and it can be stopped.

    with TrainingProcess(settings) as process:
        state = process.train(Job(Path("base.gguf"), folder, LoraOptions()), progress=print)

The process is ``python -m eval.train.background``.  It runs where nobody else wants the processor, on one thread less
than there are cores.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from eval.train.lora import LoraOptions, TokenExample, TrainingProgress, TrainingState, train
from eval.train.weights import load_model
from ingest.worker_process import Tell, WorkerProcess, serve_parent
from rag.ollama.gguf import read_header
from rag.priority import usable_cores
from rag.settings import Settings

EXAMPLES_NAME = "examples.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A training to run: the model's file, the folder of the examples and the adapter, and the options."""

    file: Path
    folder: Path
    options: LoraOptions


JOBS = TypeAdapter(Job)


PROGRESSES = TypeAdapter(TrainingProgress)


STATES = TypeAdapter(TrainingState)


_EXAMPLES = TypeAdapter(tuple[tuple[TokenExample, ...], tuple[TokenExample, ...]])


def write_examples(folder: Path, training: Sequence[TokenExample], checks: Sequence[TokenExample]) -> None:
    """Write the training examples, and those to check the loss."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EXAMPLES_NAME).write_bytes(_EXAMPLES.dump_json((tuple(training), tuple(checks))))


def read_examples(folder: Path) -> tuple[tuple[TokenExample, ...], tuple[TokenExample, ...]]:
    """Return the examples of ``write_examples``."""
    return _EXAMPLES.validate_python(json.loads((folder / EXAMPLES_NAME).read_bytes()))


class TrainingProcess(WorkerProcess):
    """One process for one training."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("eval.train.background", settings)

    def train(self, job: Job, progress: Callable[[TrainingProgress], None]) -> TrainingState:
        """Train, or go on; ``progress`` is called in this thread.

        Raises what ends a training, and ``IngestStopped`` where it was stopped or its process died.
        """
        told = self.run(JOBS.dump_python(job, mode="json"), lambda value: progress(PROGRESSES.validate_python(value)))
        return STATES.validate_python(told)


def work(settings: Settings, given: Any, tell: Tell) -> object:  # noqa: ANN401 - JSON
    """Run the training of a ``Job``."""
    import torch

    del settings
    torch.set_num_threads(max(1, usable_cores() - 1))
    job = JOBS.validate_python(given)
    training, checks = read_examples(job.folder)
    model = load_model(read_header(job.file))
    state = train(
        model,
        training,
        checks,
        job.folder,
        job.options,
        lambda progress: tell(PROGRESSES.dump_python(progress, mode="json")),
    )
    return STATES.dump_python(state, mode="json")


if __name__ == "__main__":
    serve_parent(work)
