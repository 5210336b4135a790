"""A knowledge base's own calibration: written in one step, seen at once, damaged in words."""

from pathlib import Path

import pytest

from rag.errors import CalibrationDamaged
from rag.storage.calibration import CALIBRATION_NAME, read_calibration, save_calibration


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
