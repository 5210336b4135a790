"""A knowledge base's own calibration: written in one step, seen at once, damaged in words."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import CalibrationDamaged
from rag.storage.calibration import (
    CALIBRATION_NAME,
    SMALLEST_PROBABILITY,
    logistic,
    logit_of,
    read_calibration,
    save_calibration,
)


def test_without_a_file_nothing_is_calibrated(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) == {}


def test_sections_are_kept_beside_each_other_and_seen_at_once(tmp_path: Path) -> None:
    save_calibration(tmp_path, {"search": {"slope": 1.0}})
    assert read_calibration(tmp_path) == {"search": {"slope": 1.0}}
    save_calibration(tmp_path, {"readers": {"a:1b": {"yes": 2.0}}})
    assert read_calibration(tmp_path) == {"search": {"slope": 1.0}, "readers": {"a:1b": {"yes": 2.0}}}
    assert [path.name for path in tmp_path.iterdir()] == [CALIBRATION_NAME]


@pytest.mark.parametrize("content", ["{", "[1]", '{"search": 3}'])
def test_a_damaged_file_is_named_in_both_languages(tmp_path: Path, content: str) -> None:
    (tmp_path / CALIBRATION_NAME).write_text(content, encoding="utf-8")
    with pytest.raises(CalibrationDamaged) as raised:
        read_calibration(tmp_path)
    assert CALIBRATION_NAME in raised.value.text("zh") and "已损坏" in raised.value.text("zh")


@given(st.floats(min_value=SMALLEST_PROBABILITY, max_value=1 - SMALLEST_PROBABILITY))
def test_there_and_back(probability: float) -> None:
    assert logistic(logit_of(probability)) == pytest.approx(probability, rel=1e-6)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_logit_is_a_probability(logit: float) -> None:
    assert 0.0 <= logistic(logit) <= 1.0
    assert logistic(logit) + logistic(-logit) == pytest.approx(1.0)


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_certainty_stays_finite(probability: float) -> None:
    assert math.isfinite(logit_of(probability))
