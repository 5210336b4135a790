"""``python -m eval.commands.train_process``: what ``eval.train.background`` orders, in a process that may be lost."""

from typing import Any

from eval.train.background import JOBS, PROGRESSES, STATES, read_examples
from eval.train.lora import train
from eval.train.weights import load_model
from ingest.worker_process import Tell, serve_parent
from rag.ollama.gguf import read_header
from rag.priority import usable_cores
from rag.settings import Settings


def work(settings: Settings, given: Any, tell: Tell) -> object:  # noqa: ANN401 - JSON
    """Do what is ordered."""
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
