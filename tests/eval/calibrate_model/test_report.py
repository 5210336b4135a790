"""What the calibration says, in both languages."""

import json
from dataclasses import asdict, replace

import pytest

from eval.calibrate_model.report import TRIAL_HEADS, Findings, label, page, remarks, trial_cells
from eval.calibrate_model.results import Target, Trial, Tuning, rows_of, winner
from rag.schema import Language
from tests.eval.calibrate_model.records import SERVING, configuration, question, record

ROWS = rows_of(
    {
        configuration(): (SERVING, [record(0), record(1)]),
        configuration("q4_K_M", 2): (SERVING, [record(0, seconds=1.0), record(1, right=False)]),
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


TUNED = replace(ROWS[0].configuration, tuning=Tuning(batch_tokens=1024))
TRIALS = (
    Trial("flash", replace(TUNED, tuning=Tuning(flash_attention=False)), 0.95, 1.02, -0.004),
    Trial("batch", TUNED, 1.25, 1.0, 0.1, replace(ROWS[0], configuration=TUNED), 0.5, 1.0, kept=True),
    Trial("kv", TUNED, 1.25, 1.0, 0.1, ROWS[0], 1.0, 0.5),
)


@pytest.mark.parametrize(
    ("language", "verdicts", "remark"),
    [
        ("en", ("not quicker", "kept", "other answers"), "Set with it: batch_tokens=1024"),
        ("zh", ("没有更快", "采用", "回答有差异"), "同时采用设置：batch_tokens=1024"),
    ],
)
def test_what_was_turned_and_what_came_of_it_is_said(
    language: Language, verdicts: tuple[str, ...], remark: str
) -> None:
    cells = [trial_cells(trial, language) for trial in TRIALS]
    assert cells[0] == ("flash_attention=False", "0.95", "1.02", "-0%", "-", "-", verdicts[0])
    assert cells[1] == ("batch_tokens=1024", "1.25", "1.00", "+10%", "50% → 100%", "100%", verdicts[1])
    assert cells[2][-1] == verdicts[2]
    assert all(len(row) == len(TRIAL_HEADS) for row in cells)
    found = replace(FINDINGS, trials=TRIALS, best=TRIALS[1].row)
    assert remark in remarks(found, language)
    assert "batch_tokens=1024" in page(found, language)
    assert label(TRIALS[1].row or ROWS[0]).endswith(", batch_tokens=1024")


def test_the_figures_are_json() -> None:
    found = json.loads(json.dumps(asdict(FINDINGS)))
    tuning = {"flash_attention": True, "kv_cache_type": "f16", "batch_tokens": None, "model_threads": None}
    expected = {"kind": "q8_0", "model": "m-q8_0", "slots": 1, "context_tokens": 4096, "tuning": tuning}
    assert found["rows"][0]["configuration"] == expected
    assert found["best"]["accuracy"] == 1.0
