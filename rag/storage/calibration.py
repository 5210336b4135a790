"""Stores the refusal calibration of a knowledge base in a small JSON file beside its database.

    calibration.json   {"search": {slope, intercept, threshold}, "readers": {model: {...}}, "made": {...},
                        "automatic": {threshold, far_refused, own_refused, chunks, embedder}}

``search`` is ``rag/retrieval/confidence.py``'s ``OwnCalibration``, an entry of ``readers`` a ``AnswerabilityFit`` of
``rag/generation/answerability.py``.  Both are written by ``python -m eval calibrate refusal``; ``automatic`` is what a
publication found without labelled questions (``ingest/self_calibration.py``), and serves where there is no ``search``;
without the file, what was shipped serves.  A running desk sees a new one with the next question.

Both say which ``embedder`` found what they judge, for another one's search they say nothing; where they do not say it,
they are of the time before there was a choice.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from rag.errors import CalibrationDamaged
from rag.files import read_json, write_whole

CALIBRATION_NAME = "calibration.json"

Section = Mapping[str, Mapping[str, object]]


def read_calibration(folder: Path) -> Section:
    """Return the file's sections; empty where there is none.  Raises ``CalibrationDamaged``."""
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
