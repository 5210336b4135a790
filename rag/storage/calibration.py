"""Stores the refusal calibration of a knowledge base in a small JSON file beside its database.

    calibration.json   {"search": {slope, intercept, threshold}, "readers": {model: {...}}, "made": {...},
                        "automatic": {threshold, own_refused, own_asked, near_..., far_..., chunks, embedder, fit}}

``search`` is ``rag/retrieval/confidence.py``'s ``OwnCalibration``, an entry of ``readers`` a ``AnswerabilityFit`` of
``rag/generation/answerability.py``.  Both are written by ``python -m eval calibrate refusal``; ``automatic`` is what a
publication found without labelled questions (``ingest/self_calibration.py``), and serves where there is no ``search``;
without the file, what was shipped serves.  A running desk sees a new one with the next question.

Both say which ``embedder`` found what they judge, for another one's search they say nothing; where they do not say it,
they are of the time before there was a choice.

Every calibration goes back and forth between two scales: probabilities and their logits.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import CalibrationDamaged
from rag.files import read_json, write_whole

CALIBRATION_NAME = "calibration.json"

SMALLEST_PROBABILITY = 1e-6
"""Probabilities are clipped to this distance from 0 and 1 before the logit, so that it stays finite."""

Section = Mapping[str, Mapping[str, object]]


def read_calibration(folder: Path) -> Section:
    """Return the file's sections, empty without a file.  Raises ``CalibrationDamaged``."""
    path = folder / CALIBRATION_NAME
    try:
        found = read_json(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CalibrationDamaged(path=path) from error
    if not isinstance(found, dict) or not all(isinstance(section, dict) for section in found.values()):
        raise CalibrationDamaged(path=path)
    return found


def save_calibration(folder: Path, sections: Section) -> Path:
    """Write sections beside those that are there, in one step; return the file's path."""
    path = folder / CALIBRATION_NAME
    write_whole(path, json.dumps({**read_calibration(folder), **sections}, indent=1) + "\n")
    return path


@dataclass(frozen=True, slots=True)
class ExpectedRefusals:
    """The shares of questions that a knowledge base's search refuses below ``threshold``, with counts.

    ``own`` are its own headings, which it can answer; ``near`` the same without the documents that answer them; ``far``
    questions of other trades.
    """

    threshold: float
    own: tuple[float, int]
    near: tuple[float, int]
    far: tuple[float, int]

    @classmethod
    def of(cls, folder: Path) -> "ExpectedRefusals | None":
        """Return the shares of the last publication; None if there are none, or labelled questions replaced them.

        Raises ``CalibrationDamaged``.
        """
        kept = read_calibration(folder)
        found = kept.get("automatic", {})
        if "search" in kept or "near_asked" not in found:
            return None
        own, near, far = (
            (float(str(found[f"{kind}_refused"])), int(str(found[f"{kind}_asked"]))) for kind in ("own", "near", "far")
        )
        return cls(float(str(found["threshold"])), own, near, far)


def logistic(logit: float) -> float:
    """Return the probability in [0, 1] of a logit, without overflow.

    >>> logistic(0.0), logistic(-1000.0)
    (0.5, 0.0)
    """
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def logit_of(probability: float) -> float:
    """Return the logit of a probability in [0, 1]; finite for 0 and 1 as well.

    >>> round(logit_of(0.75), 4), round(logit_of(0.0), 1)
    (1.0986, -13.8)
    """
    kept = min(max(probability, SMALLEST_PROBABILITY), 1 - SMALLEST_PROBABILITY)
    return math.log(kept / (1 - kept))
