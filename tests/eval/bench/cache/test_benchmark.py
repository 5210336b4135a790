"""A trial by hand, and the bar on the sample questions: nothing that was changed has an answer."""

from pathlib import Path

import pytest

from eval.bench.cache.benchmark import CacheProbe, CacheTrial, figures, try_cache
from eval.core.question_sets import GOLDEN_DIR
from ingest.golden import load_questions


def test_figures_by_hand() -> None:
    found = figures(
        CacheTrial(
            changed=(
                CacheProbe("number", "a", "b"),
                CacheProbe("number", "a", "c", "a"),
                CacheProbe("denial", "a", "d", "e"),
            ),
            reworded=(CacheProbe("greeting", "a", "hi a", "a"), CacheProbe("greeting", "b", "hi b", "")),
            worded_by_others=(),
        )
    )
    assert (found["changed"], found["wrong_hits"], found["of_another_question"]) == (3, 1, 1)
    assert (found["reworded_hits"], found["worded_by_others_hits"]) == (0.5, None)
    assert found["by_change"] == {"denial": {"n": 1, "wrong_hits": 0}, "number": {"n": 2, "wrong_hits": 1}}
    assert found["wrong"] == [{"kind": "number", "kept": "a", "asked": "c"}]


@pytest.mark.slow
def test_no_changed_sample_question_has_an_answer(tmp_path: Path) -> None:
    trial = try_cache(load_questions(GOLDEN_DIR), tmp_path, seed=1)
    assert len(trial.changed) >= 500
    assert {one.kind for one in trial.changed} >= {
        "number",
        "name",
        "denial",
        "direction",
        "product",
        "time",
        "before or after",
        "sides",
        "comparison",
        "kind of question",
    }
    assert [one for one in trial.changed if one.hit] == []
    assert sum(one.hit for one in trial.reworded) / len(trial.reworded) > 0.9
