"""What the calibration says, in both languages."""

import json
from dataclasses import replace

import pytest

from eval.calibrate_model.report import Findings, as_json, page, remarks
from eval.calibrate_model.results import Target, rows_of, winner
from rag.schema import Language
from tests.eval.calibrate_model.records import SERVED, configuration, question, record

ROWS = rows_of(
    {
        configuration(): (SERVED, [record(0), record(1)]),
        configuration("q4_K_M", 2): (SERVED, [record(0, seconds=1.0), record(1, right=False)]),
    },
    [question(0), question(1)],
    Target(),
)
FINDINGS = Findings("stand-in:0.5b", True, "Q4_K_M", tuple(ROWS), winner(ROWS), Target(), True, "monday")


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            (
                "not DeepSeek-R1's figures",
                "reconstructed from Q4_K_M",
                "95% of the answers whole within 10 s",
                "Best: q8_0",
            ),
        ),
        ("zh", ("不是 DeepSeek-R1 的数据", "由 Q4_K_M 还原", "95% 的回答在 10 秒内", "最佳：q8_0")),
    ],
)
def test_stand_in_origin_target_and_winner_are_said(language: Language, expected: tuple[str, ...]) -> None:
    said = "\n".join(remarks(FINDINGS, language))
    shown = page(FINDINGS, language)
    for words in expected:
        assert words in said
        assert words.replace("'", "&#x27;") in shown


def test_the_makers_own_weights_need_no_remark() -> None:
    said = "\n".join(remarks(replace(FINDINGS, stand_in=False, reconstructed_from="", model="r1:7b"), "en"))
    assert "reconstructed" not in said
    assert "stand-in" not in said


def test_what_is_missing_is_said() -> None:
    assert "--run monday" in "\n".join(remarks(replace(FINDINGS, whole=False), "en"))
    assert "nothing is chosen" in "\n".join(remarks(replace(FINDINGS, rows=(), best=None), "en"))


def test_the_page_has_a_plot_of_each_measure_and_stands_alone() -> None:
    shown = page(FINDINGS, "en")
    assert shown.count("<svg") == 5
    assert "0.50 GB" in shown
    assert "http" not in shown.replace("http-equiv", "")


def test_the_figures_are_json() -> None:
    found = json.loads(json.dumps(as_json(FINDINGS)))
    assert found["rows"][0]["configuration"] == {"kind": "q8_0", "model": "m-q8_0", "slots": 1, "context_tokens": 4096}
    assert found["best"]["accuracy"] == 1.0
