"""Knobs of the server turned one at a time from the best configuration so far: which, beside what, and what is kept.

Both configurations serve at once, and each round times one after the other, so what else the machine does meets both
alike.  Only what makes a question quicker is asked the questions.  It is kept at equal answers: asked greedily
(temperature 0), as the configuration beside it was, it answers no fewer right, and the verdict on at least
``LEAST_AGREEMENT`` of the questions is the same.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from eval.answers.runner import Record
from eval.answers.scores import scores_of
from eval.calibrate_model.results import Configuration, Row, Tuning
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError

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


def turned(knob: str, now: Tuning, cores: int) -> list[Tuning]:
    """Return how ``now`` is changed to try a knob: one fewer and one more thread than cores, for ``threads``.

    A quantized context needs flash attention, so neither is tried against the other.

    >>> [one.key for one in turned("threads", Tuning(), 2)]
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


def compared(
    knob: str, configuration: Configuration, rounds: Sequence[tuple[Pace, Pace]], answer_tokens: float
) -> Trial:
    """Compare by rounds of (the other's pace, its own); an answer has ``answer_tokens`` on average.

    >>> one = compared("kv", Configuration("as-is", "m", 1, 4096), [((100.0, 10.0), (200.0, 10.0))], 60.0)
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


def judged(
    trial: Trial, row: Row, questions: Sequence[GoldenQuestion], own: Sequence[Record], other: Sequence[Record]
) -> Trial:
    """Say whether a quicker configuration is kept, by its answers and the other's to the questions that both had."""
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
