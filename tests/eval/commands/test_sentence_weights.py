"""Fitting the weights that rank sentences: made-up choices, and one small folder."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.commands import sentence_weights
from eval.commands.sentence_weights import (
    Choice,
    Stretches,
    fit_stretches,
    fit_weights,
    held_out_figures,
    held_out_stretches,
    main,
)
from rag.evidence.selection import FEATURES, STRETCH_SIGNALS

_TRUE = np.array([1.0 if name == "needs_likeness" else -2.0 if name == "question" else 0.0 for name in FEATURES])


def choice(chance: np.random.Generator) -> Choice:
    """Twenty sentences, of which one answers by the true weights and Gumbel noise, as the logit assumes."""
    features = chance.standard_normal((20, len(FEATURES)))
    scores = features @ _TRUE + chance.gumbel(size=20)
    return Choice(features, scores == scores.max())


def test_the_weights_are_found_that_made_the_choices() -> None:
    chance = np.random.default_rng(0)
    found = fit_weights([choice(chance) for _ in range(800)])
    np.testing.assert_allclose(found, _TRUE, atol=0.3)


def test_no_nearby_weights_are_more_probable() -> None:
    chance = np.random.default_rng(1)
    choices = [choice(chance) for _ in range(40)]

    def loss(weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        scores = [one.features @ weights for one in choices]
        right = sum(
            np.log(np.exp(own[one.right]).sum() / np.exp(own).sum()) for own, one in zip(scores, choices, strict=True)
        )
        return float(sentence_weights.PENALTY * weights @ weights / 2 - right)

    found = fit_weights(choices)
    for _ in range(20):
        assert loss(found) <= loss(found + chance.normal(0, 0.05, len(FEATURES)))


def test_a_set_is_judged_by_weights_of_the_others() -> None:
    chance = np.random.default_rng(2)
    sets = {"a": [choice(chance) for _ in range(60)], "b": [choice(chance) for _ in range(60)]}
    for figures in held_out_figures(sets).values():
        assert figures["questions"] == 60
        assert figures["by_weights"] > 0.5 > figures["by_likeness"]


def stretches(chance: np.random.Generator, count: int) -> Stretches:
    """As many stretches, of which those with the larger first signal answer, more or less."""
    signals = chance.standard_normal((count, len(STRETCH_SIGNALS)))
    return Stretches(signals, signals[:, 0] + chance.normal(0, 0.5, count) > 0)


def test_the_probability_of_a_stretch_rests_on_what_tells_it() -> None:
    chance = np.random.default_rng(3)
    sets = {"a": stretches(chance, 80), "b": stretches(chance, 80)}
    fit = fit_stretches(list(sets.values()))
    assert fit is not None
    assert fit.weights[0] > 4 * abs(fit.weights[1:]).max()
    for figures in held_out_stretches(sets).values():
        assert figures["stretches"] == 80
        assert float(str(figures["stretches_auroc"])) > 0.85


def test_stretches_that_all_answer_teach_nothing() -> None:
    own = Stretches(np.zeros((2, len(STRETCH_SIGNALS))), np.array([True, True]))
    assert fit_stretches([own]) is None
    assert held_out_stretches({"a": own})["a"] == {"stretches": 2, "stretches_right": 2, "stretches_auroc": None}


@pytest.mark.real
def test_from_cases_and_pages_to_the_file(
    tmp_path: Path, own_data_folder: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = {
        "shop": ("How long may I think it over?", "You can send back any item within 30 days.", "We sell kettles."),
        "bank": ("Does a second card cost anything?", "Each further card is 5 euros a year.", "We lend money."),
    }
    options = []
    for name, (asked, quote, other) in pages.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "page.md").write_text(f"# {name}\n\n{quote} {other}\n", encoding="utf-8")
        row = {"id": name, "lang": "en", "kind": "mail", "turns": [{"user": asked}], "gold_docs": ["page.md"],
               "must_contain_any": [[quote]], "gold_quote": quote}  # fmt: skip
        cases = tmp_path / f"{name}.jsonl"
        cases.write_text(json.dumps(row) + "\n", encoding="utf-8")
        options += ["--desk", str(cases), str(folder)]
    written = tmp_path / "sentence_weights.json"
    monkeypatch.setattr(sentence_weights, "WEIGHTS_PATH", written)
    assert main(options) == 0
    content = json.loads(written.read_text("utf-8"))
    assert tuple(content["weights"]) == FEATURES
    assert tuple(content["stretch"]) == ("intercept", *STRETCH_SIGNALS)
    assert {name: figures["questions"] for name, figures in content["figures"].items()} == {"shop": 1, "bank": 1}
    assert "shop" in capsys.readouterr().out


def test_a_missing_folder_is_one_sentence(own_data_folder: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--desk", "/nowhere/cases.jsonl", "/nowhere"]) != 0
    assert capsys.readouterr().err.count("\n") == 1
