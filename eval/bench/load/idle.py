"""The product's own time without load: everything but the model, and a new process until its first passage."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Generator as GeneratorObject
from dataclasses import replace
from pathlib import Path

from eval.bench.load.gpu_timing import answer_pieces
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart, Message
from rag.schema import Answer
from rag.tracing import STAGES, Percentiles

P50_MS, P99_MS, START_SECONDS = 15.0, 30.0, 2.5
_WARM_QUESTIONS = 20
_ANSWER_TOKENS = 60
_START_LIMIT_SECONDS = 300.0
_CHECKOUT = Path(__file__).resolve().parents[3]


class NoModel:
    """Gives the prompt's own sentences back at once, and says that no model wrote them.

    ``spent_seconds`` is what it took for that so far, which nobody is to count as the product's time.
    """

    model = "none"
    stand_in = True
    continues_replies = False

    def __init__(self) -> None:
        self.spent_seconds = 0.0

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield one text."""
        began_at = time.perf_counter()
        text = "".join(answer_pieces(messages[-1].content, _ANSWER_TOKENS)).strip()
        self.spent_seconds += time.perf_counter() - began_at
        yield GeneratedText(text)
        yield GenerationFinished()


def everything_but_the_model(
    parts: PipelineParts, questions: Sequence[GoldenQuestion], told: Callable[[], object]
) -> list[tuple[float, Answer]]:
    """Ask one after another, each once, and return milliseconds and answers; the first twenty warm up and do not count.

    From the question to the answer with its citations, less what the generator takes.
    """
    model = NoModel()
    gateway = replace(parts.gateway.with_generator(model), ensure_server=lambda: None)
    pipeline = Pipeline(replace(parts, gateway=gateway, reading_fit=lambda model: None))
    times: list[tuple[float, Answer]] = []
    for number, question in enumerate(questions):
        began_at = time.perf_counter() - model.spent_seconds
        answer = pipeline.answer(question.question, think=False)
        if number >= min(_WARM_QUESTIONS, len(questions) // 2):
            times.append(((time.perf_counter() - began_at - model.spent_seconds) * 1000, answer))
        told()
    return times


def first_evidence_seconds(knowledge: Path, question: str) -> float:
    """Start ``python -m rag ask`` and return the seconds until its first passage is printed.

    ``knowledge`` is the folder of the knowledge base.  Raises ``SettingsError`` where nothing was printed.
    """
    data, name = knowledge.parent.parent, knowledge.name
    environment = {
        **os.environ,
        "ANSWERDESK_DATA_DIR": str(data),
        "ANSWERDESK_KNOWLEDGE_BASE": name,
        "ANSWERDESK_OLLAMA_HOSTS": "192.0.2.1",  # nobody's address (RFC 5737): no model server is started or waited for
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody compiles everything anew at every start
    command = [sys.executable, "-m", "rag", "ask", "--no-think", question]
    began_at = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=_CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None  # asked for with PIPE
        try:
            first = process.stdout.readline()
            seconds = time.perf_counter() - began_at
            if not first:
                process.wait(timeout=_START_LIMIT_SECONDS)
                raise SettingsError(reason=process.stderr.read().decode(errors="replace").strip()[-300:])
            return seconds
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def idle_figures(times: Sequence[tuple[float, Answer]], starts: Sequence[float]) -> dict[str, object]:
    """Return percentiles of the whole and of each stage in milliseconds, and the starts in seconds.

    The first start warms the disk's cache, and does not count where there are more.
    """
    warm = list(starts[1:] or starts)
    stages: dict[str, list[float]] = {}
    for _, answer in times:
        for span in answer.spans:
            stages.setdefault(span.name, []).append(span.duration_ms)
    return {
        "n": len(times),
        "all_ms": _row([ms for ms, _ in times]),
        "stages": {name: _row(stages[name]) for name in STAGES if name in stages and name != "total"},
        "starts": len(warm),
        "start_seconds": round(sorted(warm)[len(warm) // 2], 2) if warm else None,
        "slowest_start_seconds": round(max(warm), 2) if warm else None,
    }


def _row(values: Sequence[float]) -> Mapping[str, float | int | None]:
    found = Percentiles.of(values)
    return {"n": found.n, "p50": found.p50, "p95": found.p95, "p99": found.p99}
