"""The set-up steps, each run by one process at a time."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal

from filelock import FileLock, Timeout

from rag.errors import DownloadFailed, LinkInCache
from rag.settings import Settings
from rag.setup.console import Console, Outcome

Step = Literal["ollama", "model", "embedder", "browser", "sandbox"]
Part = Step | Literal["embedding_model", "reranker"]
"""A step, or a part of the embedder's step if the settings name a model."""

ALL_STEPS: tuple[Step, ...] = ("ollama", "model", "embedder")  # the others serve tests and ``eval code``


def provide(settings: Settings, console: Console, steps: Sequence[Step] = ALL_STEPS, *, model: str = "") -> None:
    """Run the steps in their order and print a line for each.

    ``model`` names the model to bring; empty leaves it to the settings.  What is here already is left alone, without
    any network.  Raises ``ProvisioningError``, or ``ServingError`` where Ollama is needed and does not start.
    """
    for step in steps:
        for part in _parts(step, settings):
            console.step(partial(_run_alone, part, settings, console, model))


def _parts(step: Step, settings: Settings) -> Iterator[Part]:
    yield step
    if step == "embedder" and settings.embedding_model:
        yield "embedding_model"
    if step == "embedder" and settings.reranker:
        yield "reranker"


def _run_alone(step: Part, settings: Settings, console: Console, model: str) -> Outcome:
    """Run one step under its lock; a full disk is reported in words wherever it shows."""
    with _lock(step, settings, console):
        try:
            return _run_step(step, settings, console, model)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DownloadFailed(what=step, reason="disk_full", remedy="room") from error
            raise


def _run_step(step: Part, settings: Settings, console: Console, model: str) -> Outcome:
    # Each step imports what it needs when it is its turn: a second start has little to do and should say so at once.
    if step == "ollama":
        from rag.setup.ollama import provide_ollama

        return provide_ollama(settings, console)
    if step == "model":
        from rag.setup.models import provide_model

        return provide_model(settings, console, model)
    if step in ("embedding_model", "reranker"):
        from rag.setup import embedder

        bring = embedder.provide_reranker if step == "reranker" else embedder.provide_embedding_model
        return bring(settings, console)
    if step == "browser":
        from rag.setup.system_packages import provide_browser

        return provide_browser(settings, console)
    if step == "sandbox":
        from rag.setup.system_packages import provide_sandbox

        return provide_sandbox(settings, console)
    from rag.setup.embedder import provide_embedder

    return provide_embedder(settings, console)


@contextmanager
def _lock(step: Part, settings: Settings, console: Console) -> Iterator[None]:
    folder = settings.cache_dir / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{step}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        console.note("waiting")
        lock.acquire()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LinkInCache(path=lock.lock_file) from error
        raise
    try:
        yield
    finally:
        lock.release()
