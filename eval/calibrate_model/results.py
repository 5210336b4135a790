"""Configurations and their results: records as the rows of a table, the row that wins, knobs.  Pure functions.

How many agents a configuration serves is simulated from measured answer times: each agent asks, waits for the whole
answer, then reads and talks for a random pause before asking again, and one fair queue stands before the slots, as in
the product.  A number of agents is served when the wanted share of their answers is complete within the target.

Knobs of the server are turned one at a time from the best configuration so far.  Both configurations serve at once,
and each round times one after the other, so what else the machine does meets both alike.  Only what makes a question
quicker is asked the questions.  It is kept at equal answers: asked greedily (temperature 0), as the configuration
beside it was, it answers no fewer right, and the verdict on at least ``LEAST_AGREEMENT`` of the questions is the same.
"""

import heapq
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product

from eval.answers.asking import Record
from eval.answers.scores import scores_of
from eval.core.statistics import right_interval, rounded_mean
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.tracing import Percentiles

MARGIN = 0.02
"""By how much less accurate than the most accurate one the winner may be."""

_ANSWERS = 2000  # played for each number of agents; the first tenth only fills the line
_MOST_AGENTS = 500

ROUNDS = 4
LEAST_GAIN = 0.03
"""By how much of its time a question must be quicker; the same configuration twice differs by less than that."""
LEAST_AGREEMENT = 0.95

_PROMPT_TOKENS = 400
"""What a question makes the model read: its passages; the prompt's beginning is cached."""

KNOBS: Mapping[str, str] = {
    "flash": "flash_attention",
    "kv": "kv_cache_type",
    "batch": "batch_tokens",
    "threads": "model_threads",
}
"""The setting of each knob, in the order in which they are tried."""

Pace = tuple[float, float]
"""Tokens a second of prompt and answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """``share`` of the answers whole within ``seconds``; an agent asks ``pause_seconds`` after each, on average."""

    seconds: float = 10.0
    share: float = 0.95
    pause_seconds: float = 60.0


def share_within(agents: int, service_seconds: Sequence[float], slots: int, target: Target, seed: int = 0) -> float:
    """Return the share of answers that are whole within the target, in [0, 1].

    ``service_seconds`` are drawn from; they were measured with all slots busy, so fewer agents fare a little better.
    """
    chance = random.Random(seed)
    free_at = [0.0] * slots
    asks = [chance.expovariate(1 / target.pause_seconds) for _ in range(agents)]
    heapq.heapify(asks)
    within = counted = 0
    for number in range(_ANSWERS):
        asked_at = heapq.heappop(asks)
        done_at = max(asked_at, heapq.heappop(free_at)) + chance.choice(service_seconds)
        heapq.heappush(free_at, done_at)
        heapq.heappush(asks, done_at + chance.expovariate(1 / target.pause_seconds))
        if number >= _ANSWERS // 10:
            counted += 1
            within += done_at - asked_at <= target.seconds
    return within / counted


def agents_supported(service_seconds: Sequence[float], slots: int, target: Target, seed: int = 0) -> int:
    """Return the largest number of agents for whom the target is met; 0 where a single one waits too long."""
    if not service_seconds or share_within(1, service_seconds, slots, target, seed) < target.share:
        return 0
    met, missed = 1, 2
    while missed <= _MOST_AGENTS and share_within(missed, service_seconds, slots, target, seed) >= target.share:
        met, missed = missed, missed * 2
    missed = min(missed, _MOST_AGENTS + 1)
    while missed - met > 1:
        middle = (met + missed) // 2
        if share_within(middle, service_seconds, slots, target, seed) >= target.share:
            met = middle
        else:
            missed = middle
    return met


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the server runs the model, by the settings' names; ``None`` leaves it to Ollama."""

    flash_attention: bool = True
    kv_cache_type: str = "f16"
    batch_tokens: int | None = None
    model_threads: int | None = None

    @property
    def key(self) -> str:
        """Name what differs from the default: ``flash_attention=False,batch_tokens=1024``; empty where nothing does."""
        usual, own = asdict(Tuning()), asdict(self)
        return ",".join(f"{name}={value}" for name, value in own.items() if value != usual[name])


DEFAULT_TUNING = Tuning()


@dataclass(frozen=True, slots=True)
class Configuration:
    """``kind`` is a quantization, or ``AS_IS``; ``model`` is the name in the server that tries it."""

    kind: str
    model: str
    slots: int
    context_tokens: int
    tuning: Tuning = DEFAULT_TUNING

    @property
    def key(self) -> str:
        """Name its files: the kind, slots, context and what is tuned."""
        tuned = self.tuning.key.replace("=", "-").replace(",", "-")
        return f"{self.kind}-{self.slots}x{self.context_tokens}" + (f"-{tuned}" if tuned else "")


def configurations(
    models: dict[str, str], slots: tuple[int, ...], contexts: tuple[int, ...]
) -> tuple[Configuration, ...]:
    """Return all combinations; ``models`` maps a kind to the model's name."""
    return tuple(
        Configuration(kind, name, slot, context)
        for (kind, name), context, slot in product(models.items(), contexts, slots)
    )


@dataclass(frozen=True, slots=True)
class ServingFigures:
    """What the server showed of a configuration: ``/api/ps``'s bytes, and tokens a second of one answer alone.

    ``asking_seconds`` is for how long questions were asked, with every slot busy.
    """

    memory_bytes: int
    prompt_rate: float
    generation_rate: float
    asking_seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One configuration's figures: shares in [0, 1], tokens a second, bytes, milliseconds of whole answers.

    ``load_rate`` is the answers' tokens a second of all slots together.  ``accuracy`` is over the ``compared``
    questions that every configuration answered, ``n`` of its own were asked.
    """

    configuration: Configuration
    n: int
    compared: int
    accuracy: float | None
    interval: tuple[float, float] | None
    prompt_rate: float
    generation_rate: float
    load_rate: float
    memory_bytes: int
    p50_ms: float | None
    p99_ms: float | None
    agents: int
    errors: int


def rows_of(
    measured: Mapping[Configuration, tuple[ServingFigures, Sequence[Record]]],
    questions: Sequence[GoldenQuestion],
    target: Target,
) -> list[Row]:
    """Return a row for each configuration.

    Where time ran out, some were asked fewer questions: accuracy counts those alone that all were asked.
    """
    asked = [{record.question_id for record in records} for _, records in measured.values()]
    common = set.intersection(*asked) if asked else set()
    shared = [question for question in questions if question.question_id in common]
    return [_row(one, served, records, shared, target) for one, (served, records) in measured.items()]


def _row(
    one: Configuration,
    served: ServingFigures,
    records: Sequence[Record],
    shared: Sequence[GoldenQuestion],
    target: Target,
) -> Row:
    right = [float(score.right) for score in scores_of(shared, records, "own")]
    answered = [record.total_ms for record in records if not record.error]
    times = Percentiles.of(answered)
    generated = sum(record.tokens.generated for record in records)
    return Row(
        configuration=one,
        n=len(records),
        compared=len(right),
        accuracy=rounded_mean(right),
        interval=right_interval(right),
        prompt_rate=served.prompt_rate,
        generation_rate=served.generation_rate,
        load_rate=round(generated / served.asking_seconds, 1) if served.asking_seconds else 0.0,
        memory_bytes=served.memory_bytes,
        p50_ms=times.p50,
        p99_ms=times.p99,
        agents=agents_supported([value / 1000 for value in answered], one.slots, target),
        errors=sum(bool(record.error) for record in records),
    )


def winner(rows: Sequence[Row], margin: float = MARGIN) -> Row | None:
    """Return the row that serves the most agents among those that are about as accurate as the best one.

    Ties go to the quicker p99, then to less memory.  None where nothing was answered.
    """
    known = [row for row in rows if row.accuracy is not None and row.p99_ms is not None]
    if not known:
        return None
    best = max(row.accuracy or 0.0 for row in known)
    close = [row for row in known if (row.accuracy or 0.0) >= best - margin - 1e-9]
    return min(close, key=lambda row: (-row.agents, row.p99_ms, row.memory_bytes))


def known_knobs(text: str) -> tuple[str, ...]:
    """Return the knobs that a list names, in the order in which they are tried; none for ``none``.

    Raises ``SettingsError`` for a name that is none.

    >>> known_knobs("kv,flash"), known_knobs("none")
    (('flash', 'kv'), ())
    """
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in KNOBS:
            raise SettingsError(reason=f"--knobs {name}: {', '.join((*KNOBS, 'none'))}")
    return tuple(name for name in KNOBS if name in names)


def knob_variants(knob: str, now: Tuning, cores: int) -> list[Tuning]:
    """Return the changes of ``now`` that try a knob: one fewer and one more thread than cores, for ``threads``.

    A quantized context needs flash attention, so neither is tried against the other.

    >>> [one.key for one in knob_variants("threads", Tuning(), 2)]
    ['model_threads=1', 'model_threads=3']
    """
    changed = {
        "flash": [replace(now, flash_attention=False)],
        "kv": [replace(now, kv_cache_type="q8_0")],
        "batch": [replace(now, batch_tokens=count) for count in (256, 1024)],
        "threads": [replace(now, model_threads=count) for count in (cores - 1, cores + 1) if count > 0],
    }[knob]
    return [one for one in changed if one.flash_attention or one.kv_cache_type == "f16"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration beside the best one so far.  Ratios are medians over the rounds, its pace to the other's.

    ``gain`` is the share of a question's time that it saves.  ``row`` and ``agreement``, the share of the questions
    with the same verdict, are None where it was not asked.  ``reference`` is the other's accuracy on them.
    """

    knob: str
    configuration: Configuration
    prompt_ratio: float
    generation_ratio: float
    gain: float
    row: Row | None = None
    reference: float | None = None
    agreement: float | None = None
    kept: bool = False


def compare_paces(
    knob: str, configuration: Configuration, rounds: Sequence[tuple[Pace, Pace]], answer_tokens: float
) -> Trial:
    """Compare rounds of (the other's pace, its own); an answer has ``answer_tokens`` on average.

    >>> one = compare_paces("kv", Configuration("as-is", "m", 1, 4096), [((100.0, 10.0), (200.0, 10.0))], 60.0)
    >>> one.prompt_ratio, one.generation_ratio, one.gain
    (2.0, 1.0, 0.2)
    """

    def seconds(pace: Pace) -> float:
        return _PROMPT_TOKENS / pace[0] + answer_tokens / pace[1]

    return Trial(
        knob,
        configuration,
        prompt_ratio=round(statistics.median(own[0] / other[0] for other, own in rounds), 3),
        generation_ratio=round(statistics.median(own[1] / other[1] for other, own in rounds), 3),
        gain=round(1 - statistics.median(seconds(own) / seconds(other) for other, own in rounds), 3),
    )


def judge_trial(
    trial: Trial, row: Row, questions: Sequence[GoldenQuestion], own: Sequence[Record], other: Sequence[Record]
) -> Trial:
    """Decide whether to keep a quicker configuration, by both configurations' answers to common questions."""
    common = {record.question_id for record in own} & {record.question_id for record in other}
    shared = [question for question in questions if question.question_id in common]
    verdicts = [[score.right for score in scores_of(shared, records, "own")] for records in (own, other)]
    if not shared:
        return replace(trial, row=row)
    same = sum(mine == theirs for mine, theirs in zip(*verdicts, strict=True)) / len(shared)
    right, reference = (sum(one) / len(shared) for one in verdicts)
    return replace(
        trial,
        row=row,
        reference=round(reference, 4),
        agreement=round(same, 4),
        kept=right >= reference and same >= LEAST_AGREEMENT,
    )
