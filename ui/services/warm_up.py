"""What a starting desk makes ready behind its first page, so that the first question waits for less."""

import gc
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rag.errors import AnswerdeskError
from rag.turns import AnswerPipeline

if TYPE_CHECKING:  # its imports take longer than the first page may
    from rag.pipeline import Pipeline

logger = logging.getLogger(__name__)


def warm_up(pipeline: Callable[[], AnswerPipeline]) -> None:
    """Load what a question needs, and then, in a thread of its own, bring the model into memory and preload its slots.

    What cannot be had now is logged: the first question says it to whoever asks.
    """
    from rag.pipeline import Pipeline

    started_at = time.monotonic()
    try:
        built = pipeline()
        if isinstance(built, Pipeline):
            built.warm()
    except AnswerdeskError as error:
        logger.warning("not warm yet: %s", type(error).__name__)
        return
    gc.collect()
    gc.freeze()  # what is loaded by now stays: later collections need not walk over it
    logger.info("warm after %.1f s", time.monotonic() - started_at)
    if isinstance(built, Pipeline) and built.parts.settings.keep_alive_seconds:
        # a daemon: it waits for another process, and the desk's end does not wait for that
        threading.Thread(target=_preload, args=(built,), daemon=True, name="preload").start()


def _preload(pipeline: "Pipeline") -> None:
    from rag.preloading import preload

    started_at = time.monotonic()
    try:
        slots = preload(pipeline.parts)
    except AnswerdeskError as error:
        logger.info("the model is not preloaded: %s", type(error).__name__)
    else:
        logger.info("model preloaded in %d slots after %.1f s", slots, time.monotonic() - started_at)
