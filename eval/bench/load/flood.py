"""One person who floods the desk while others ask at their own pace: what becomes of either.

The flooder sends all questions and files at the same moment, as many tabs or a script would; a file's words are asked
as soon as they are read.  The others ask by chance, whatever the answers do (an open loop), each under a name of their
own.  Questions and files go to the turn service and to the pool of files that the desk has, with the desk's limits.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial

from eval.bench.load.records import LoadRecord
from ingest.reader import FileReader, question_of_file
from rag.errors import AnswerdeskError
from rag.settings import Settings
from rag.tracing import Percentiles
from rag.turns import FairPool, TurnRequest, TurnService

EVIDENCE_P99_MS = 1000.0
FLOODER = "flooder"
_READ_AGAIN_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Flood:
    """What the flooder sends: questions, and files with their names."""

    questions: Sequence[str]
    files: Sequence[tuple[str, bytes]]

    @classmethod
    def of(cls, texts: Sequence[str], questions: int, files: int) -> "Flood":
        """Make a flood of texts, over and over; a number makes each of its own, so that no two share an answer."""
        numbered = [f"{texts[number % len(texts)]} ({number + 1})" for number in range(questions + files)]
        mails = [(f"{number}.eml", _mail(text)) for number, text in enumerate(numbered[questions:])]
        return cls(numbered[:questions], mails)


class Flooder:
    """Sends a flood, and counts what became of it: ``questions`` and ``files``, by the end or the error of each."""

    def __init__(self, turns: TurnService, pool: FairPool, settings: Settings, *, think: bool | None) -> None:
        self._turns = turns
        self._pool = pool
        self._settings = settings
        self._think = think
        self._asked: list[str] = []
        self._read: list[Future[str]] = []
        self._lock = threading.Lock()
        self.questions: Counter[str] = Counter()
        self.files: Counter[str] = Counter()

    def send(self, flood: Flood) -> None:
        """Send everything, one behind the other without a pause; returns when all of it was taken or refused."""
        uploads = list(flood.files)
        for question in flood.questions:
            self._ask(question)
            if uploads:
                self._upload(*uploads.pop())
        for upload in uploads:
            self._upload(*upload)

    def end(self, timeout_seconds: float) -> None:
        """Wait until the files are read and the questions have an end, stop what has none by then, and count."""
        waited = threading.Event()
        threading.Timer(timeout_seconds, waited.set).start()
        for reading in self._read:
            reading.exception()
        for turn_id in self._asked:
            snapshot = self._turns.wait(turn_id, lambda _: False, timeout_seconds=0)
            while not snapshot.final and not waited.is_set():
                snapshot = self._turns.wait(turn_id, lambda _: False, timeout_seconds=_READ_AGAIN_AFTER_SECONDS)
            if not snapshot.final:
                self._turns.cancel(turn_id)
            answer, failure = snapshot.answer, snapshot.failure
            refused = failure.kind if failure is not None else answer.instead_of if answer is not None else ""
            self.questions[refused or (snapshot.state if snapshot.final else "unfinished")] += 1

    def _ask(self, question: str) -> None:
        try:
            turn_id = self._turns.submit(
                secrets.token_hex(8), TurnRequest(question, session=FLOODER, think=self._think, owner=FLOODER)
            )
        except AnswerdeskError as error:
            with self._lock:
                self.questions[type(error).__name__] += 1
        else:
            with self._lock:
                self._asked.append(turn_id)

    def _upload(self, name: str, content: bytes) -> None:
        try:
            reading = self._pool.submit(FLOODER, partial(self._words, name, content))
        except AnswerdeskError as error:
            self.files[type(error).__name__] += 1
            return
        self._read.append(reading)
        reading.add_done_callback(self._ask_words)

    def _words(self, name: str, content: bytes) -> str:
        with FileReader.of(self._settings) as reader:
            return question_of_file(name, content, reader)

    def _ask_words(self, reading: "Future[str]") -> None:
        error = reading.exception()
        with self._lock:
            self.files["read" if error is None else type(error).__name__] += 1
        if error is None:
            self._ask(reading.result())


def flood_figures(records: Sequence[LoadRecord], flooder: Flooder, memory: Mapping[str, float]) -> dict[str, object]:
    """Return the others' figures before the flood (round 0) and in it (round 1), the flooder's, and the memory's."""
    return {
        "before": _others([one for one in records if one.round == 0]),
        "flood": _others([one for one in records if one.round == 1]),
        "flooder": {"questions": dict(flooder.questions), "files": dict(flooder.files)},
        "memory_mb": dict(memory),
    }


def is_met(figures: Mapping[str, object]) -> bool:
    """Tell whether the others had their evidence in time, all of them, and nothing was refused to them."""
    others = figures["flood"]
    assert isinstance(others, Mapping)
    p99 = others["evidence_ms"]["p99"]
    return p99 is not None and p99 <= EVIDENCE_P99_MS and not others["refused"] and not others["without_evidence"]


def _others(records: Sequence[LoadRecord]) -> dict[str, object]:
    evidence = [one.evidence_ms for one in records if one.evidence_ms is not None]
    return {
        "n": len(records),
        "evidence_ms": _row(evidence),
        "total_ms": _row([one.total_ms for one in records if one.outcome in ("answered", "refused")]),
        "without_evidence": len(records) - len(evidence),
        "refused": dict(Counter(one.error for one in records if one.error)),
        "outcomes": dict(Counter(one.outcome for one in records)),
    }


def _row(values: Sequence[float]) -> dict[str, float | int | None]:
    found = Percentiles.of(values)
    largest = round(max(values), 1) if values else None
    return {"n": found.n, "p50": found.p50, "p95": found.p95, "p99": found.p99, "largest": largest}


def _mail(text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@customer.example", "help@shop.example", "Question"
    message.set_content(text)
    return message.as_bytes()
