"""The command from the questions to the figures; the times with the real embedder."""

import json
from pathlib import Path

import pytest

from eval.__main__ import main


@pytest.mark.slow
def test_the_sample_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    assert main(["cache", "--limit", "40", "--json", str(tmp_path / "figures.json")]) == 0
    shown = capsys.readouterr().out
    assert "Answers without a model" in shown
    (figures,) = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8")).values()
    assert figures["wrong_hits"] == 0
    assert figures["changed"] > 40
    assert "milliseconds" not in figures


def test_a_file_that_is_none_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "--questions", "/nowhere.jsonl"]) != 0
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.real
@pytest.mark.nightly
def test_every_lane_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    assert main(["cache", "--time", "--limit", "12", "--json", str(tmp_path / "figures.json")]) == 0
    (figures,) = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8")).values()
    times = figures["milliseconds"]
    assert times["curated"]["n"] == times["seen_by_others"]["n"] == 12
    assert 6 < times["cached"]["n"] <= 12, "what rests on an internal or outdated passage is not given again"
    assert times["quotation"]["n"] > 0
