"""How fast the model is beside other programs: one that computes without a pause, and our own ingest."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from rag.errors import SettingsError
from rag.protocols import GenerationFinished, Generator, Message
from rag.terminal import terminal_language
from rag.translate import translate

ALONE, BUSY, INGEST = "alone", "busy", "ingest"
LEAST_BUSY_SHARE, MOST_INGEST_TIMES = 0.55, 2.0
SETTLING_SECONDS = 8.0
"""From the start of another program until its effect is measured: by then the product has seen it."""

_ANSWER_TOKENS = 48
_PROMPT_WORDS = 250
_COMPUTE = "while True: sum(number * number for number in range(10_000))"
_INGEST_AGAIN = """
import os, subprocess, sys, tempfile
while True:
    with tempfile.TemporaryDirectory() as folder:
        own = {**os.environ, "ANSWERDESK_DATA_DIR": folder}
        subprocess.run([sys.executable, "-m", "ingest", *sys.argv[1:]], env=own, check=True)
"""
_CHECKOUT = Path(__file__).resolve().parents[3]


@contextmanager
def neighbour(kind: str, documents: Sequence[Path]) -> Iterator[None]:
    """Run the other program for a block: none, an ordinary process, or an ingest of ``documents``, again and again."""
    if kind == ALONE:
        yield
        return
    program = [_COMPUTE] if kind == BUSY else [_INGEST_AGAIN, *(str(path.resolve()) for path in documents)]
    process = subprocess.Popen(
        [sys.executable, "-c", *program],
        cwd=_CHECKOUT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
        if process.poll() is not None:
            reason = translate("bench_load.neighbour_ended", terminal_language(), kind=kind, code=process.returncode)
            raise SettingsError(reason=reason)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def one_answer(generator: Generator) -> GenerationFinished:
    """Have one prompt read that no cache knows, and as many tokens written each time; return Ollama's own figures."""
    words = " ".join(secrets.token_hex(2) for _ in range(_PROMPT_WORDS))
    parts = generator.generate(
        [Message("user", f"{words}\nCount from one to a hundred in words.")], think=False, max_tokens=_ANSWER_TOKENS
    )
    return [part for part in parts if isinstance(part, GenerationFinished)][-1]


def measure_beside(
    generator: Generator,
    kinds: Sequence[str],
    documents: Sequence[Path],
    rounds: int,
    told: Callable[[], object],
) -> dict[str, list[GenerationFinished]]:
    """Ask ``rounds`` times beside each kind of neighbour; the first answer beside each warms up and does not count."""
    found: dict[str, list[GenerationFinished]] = {}
    for kind in kinds:
        with neighbour(kind, documents):
            time.sleep(SETTLING_SECONDS)
            answers = []
            for _ in range(rounds + 1):
                answers.append(one_answer(generator))
                told()
        found[kind] = answers[1:]
    return found


def neighbour_figures(found: dict[str, list[GenerationFinished]]) -> dict[str, dict[str, float]]:
    """Return medians of each kind: tokens a second, and the seconds of a whole answer; with what they are of alone."""
    rows = {kind: _row(answers) for kind, answers in found.items()}
    alone = rows[ALONE]
    for row in rows.values():
        row["generated_share"] = round(row["generated_tokens_per_second"] / alone["generated_tokens_per_second"], 2)
        row["answer_times"] = round(row["answer_seconds"] / alone["answer_seconds"], 2)
    return rows


def _row(answers: Sequence[GenerationFinished]) -> dict[str, float]:
    return {
        "n": len(answers),
        "prompt_tokens_per_second": round(median(one.prompt_tokens / one.prompt_ms * 1000 for one in answers), 1),
        "generated_tokens_per_second": round(
            median(one.generated_tokens / one.generation_ms * 1000 for one in answers), 2
        ),
        "answer_seconds": round(median((one.load_ms + one.prompt_ms + one.generation_ms) / 1000 for one in answers), 2),
    }
