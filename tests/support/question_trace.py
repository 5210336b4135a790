"""``python -m tests.support.question_trace``: counts the modules of ``rag`` that one answered question runs through.

A question is put to the turns, as a page does, and every function that is called until the answer is kept counts for
its module; what runs because a module is imported does not.  The knowledge base and the model are the shipped fakes;
``--real`` asks the knowledge base of the settings (ANSWERDESK_DATA_DIR) with the real embedder and model.
"""

import argparse
import inspect
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rag.factory import build_pipeline
from rag.pipeline import Pipeline
from rag.settings import load_settings
from rag.storage.access import LOCAL_USER, KnowledgeBases
from rag.storage.turn_store import TurnStore
from rag.testing import build_offline_pipeline
from rag.turns import PersonalTurns, TurnRequest, TurnService, TurnSnapshot

QUESTION = "How many days do I have to send an item back?"
_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 300.0


@contextmanager
def traced(package: str) -> Iterator[Counter[str]]:
    """Count the calls of a package's functions by module, in this thread and in those that are started meanwhile."""
    folder = f"{_ROOT / package}/"
    calls: Counter[str] = Counter()

    def watch(frame: FrameType, event: str, argument: object) -> None:
        del argument
        if event != "call" or not frame.f_code.co_filename.startswith(folder):
            return
        if not _is_importing(frame, folder):
            calls[_module(frame.f_code.co_filename)] += 1

    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _is_importing(frame: FrameType | None, folder: str) -> bool:
    """Tell whether a frame is, or is called by, the body of one of the package's modules or classes.

    Those have no locals of their own.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith(folder) and not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            return True
        frame = frame.f_back
    return False


def _module(filename: str) -> str:
    path = Path(filename).relative_to(_ROOT).with_suffix("")
    return ".".join(path.parts).removesuffix(".__init__")


def modules_of_a_question(question: str, pipeline: Pipeline, folder: Path) -> tuple[TurnSnapshot, list[str]]:
    """Ask, and return the answered turn with the modules of ``rag`` that were run, in alphabetical order."""
    with traced("rag") as calls:
        turns = TurnService(lambda name, user: pipeline, TurnStore(folder / "turns.db"), workers=1)
        personal = PersonalTurns(turns, KnowledgeBases(folder / "knowledge"), lambda: LOCAL_USER)
        turn_id = personal.submit("token", TurnRequest(question))
        snapshot = personal.wait(turn_id, lambda turn: turn.final, timeout_seconds=_PATIENCE_SECONDS)
        turns.close()
    return snapshot, sorted(set(calls) - {"rag.testing"})


def main(arguments: Sequence[str] | None = None, write: Callable[[str], object] = sys.stdout.write) -> int:
    """Print how many modules a question crosses, and which; 1 where it was not answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.question_trace", description=__doc__)
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--real", action="store_true", help="ask the knowledge base of the settings")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline = build_pipeline(load_settings()) if options.real else build_offline_pipeline(folder / "sample")
        snapshot, modules = modules_of_a_question(options.question, pipeline, folder)
    folders = Counter(module.rpartition(".")[0] for module in modules)
    by_folder = ", ".join(f"{folder} {count}" for folder, count in sorted(folders.items()))
    write(f"{snapshot.state}: {len(modules)} modules ({by_folder})\n")
    write("".join(f"  {module}\n" for module in modules))
    return 0 if snapshot.state == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
