"""Fitting the map of a question's tokens: the gradient against differences, made-up tokens, and one small folder."""

import json
from pathlib import Path

import numpy as np
import pytest

from eval.commands import query_projection
from eval.commands.query_projection import Comparison, Example, figures_of, fit_projection, loss_and_gradient, main
from rag.retrieval.embedder_tokens import PROJECTION_PATH, pack_projection, project, unpack_projection
from rag.retrieval.late_interaction import Signs
from rag.schema import QuestionTokens

DIMENSION = 16


def signs_of(vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Signs:
    return np.packbits(vectors > 0, axis=1)


def example(chance: np.random.Generator, *, turned: bool = False) -> Example:
    """A question of four tokens, and texts of which the first has the same tokens, one dimension further if turned."""
    vectors = chance.standard_normal((4, DIMENSION)).astype(np.float32)
    right = np.roll(vectors, 1, axis=1) if turned else vectors
    others = [chance.standard_normal((int(chance.integers(3, 8)), DIMENSION)).astype(np.float32) for _ in range(5)]
    found = Comparison(tuple(map(signs_of, (right, *others))), np.arange(6) == 0)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Example(QuestionTokens(unit, np.array([1.0, 2.0, 0.5, 1.0])), found, found)


def test_the_gradient_is_that_of_the_loss() -> None:
    chance = np.random.default_rng(0)
    one, projection = example(chance), chance.standard_normal((DIMENSION, DIMENSION)) / 10
    loss, gradient = loss_and_gradient(one, projection, chance)
    for row, column in ((0, 0), (3, 7), (15, 2)):
        nearby = projection.copy()
        nearby[row, column] += 1e-6
        difference = (loss_and_gradient(one, nearby, chance)[0] - loss) / 1e-6
        assert difference == pytest.approx(gradient[row, column], rel=1e-4, abs=1e-5)


@pytest.mark.slow
def test_what_is_learnt_holds_for_other_questions() -> None:
    chance = np.random.default_rng(1)
    seen, unseen = ([example(chance, turned=True) for _ in range(count)] for count in (120, 60))
    before = figures_of(unseen, None)
    after = figures_of(unseen, fit_projection(seen, epochs=15, learning_rate=0.02))
    assert before["passage_mrr"] < 0.6 < 0.8 < after["passage_mrr"]
    assert before["sentence_mrr"] < 0.6 < 0.8 < after["sentence_mrr"]


def test_of_many_wrong_texts_some_are_drawn_and_every_right_one_is_kept() -> None:
    texts = tuple(np.full((1, 2), number, dtype=np.uint8) for number in range(90))
    drawn = Comparison(texts, np.arange(90) >= 88).sample(60, np.random.default_rng(0))
    assert (len(drawn.texts), drawn.right.tolist()) == (62, [True] * 2 + [False] * 60)
    assert [int(own[0, 0]) for own in drawn.texts[:2]] == [88, 89]


def test_texts_of_one_kind_teach_nothing() -> None:
    texts = tuple(np.zeros((2, DIMENSION // 8), dtype=np.uint8) for _ in range(2))
    alike = Comparison(texts, np.array([False, False]))
    question = QuestionTokens(np.eye(2, DIMENSION, dtype=np.float32), np.ones(2))
    loss, gradient = loss_and_gradient(
        Example(question, alike, alike), np.zeros((DIMENSION, DIMENSION)), np.random.default_rng(0)
    )
    assert (loss, gradient.any()) == (0.0, False)


@pytest.mark.real
def test_from_cases_and_pages_to_the_file(
    tmp_path: Path,
    own_data_folder: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    pages = {"returns": "You can send back any item within 30 days. Sale items are not exchanged.",
             "kettle": "Descale the kettle every month. Limescale is not covered by the warranty."}  # fmt: skip
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    rows = [
        {"id": name, "lang": "en", "kind": "mail", "turns": [{"user": asked}], "gold_docs": [f"{name}.md"],
         "must_contain_any": [[quote]], "gold_quote": quote}
        for name, asked, quote in (
            ("returns", "How long may I think it over?", "You can send back any item within 30 days."),
            ("kettle", "Is white crust a guarantee case?", "Limescale is not covered by the warranty."),
        )
    ]  # fmt: skip
    cases = tmp_path / "pages.jsonl"
    cases.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    written = tmp_path / "query_projection.json"
    monkeypatch.setattr(query_projection, "PROJECTION_PATH", written)
    assert main(["--desk", str(cases), str(folder)]) == 0
    content = json.loads(written.read_text("utf-8"))
    assert content["figures"]["pages"]["without"]["questions"] == 2
    assert unpack_projection(content["projection"]).shape == (384, 384)
    assert "pages" in capsys.readouterr().out


@pytest.mark.real
def test_cases_that_name_no_document_are_told_in_one_sentence(
    tmp_path: Path, own_data_folder: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "returns.md").write_text("# Returns\n\nWithin 30 days.\n", encoding="utf-8")
    cases = tmp_path / "far.jsonl"
    row = {"id": "far", "lang": "en", "kind": "unanswerable_far", "turns": [{"user": "Bananas?"}], "answerable": False}
    cases.write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert main(["--desk", str(cases), str(tmp_path / "docs"), "--dry-run"]) == 2
    assert "far.jsonl" in capsys.readouterr().err.splitlines()[-1]


def test_a_missing_folder_is_one_sentence(own_data_folder: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--desk", "/nowhere/cases.jsonl", "/nowhere"]) != 0
    assert capsys.readouterr().err.count("\n") == 1


def test_a_projection_survives_its_file() -> None:
    matrix = np.random.default_rng(0).normal(0, 0.01, (DIMENSION, DIMENSION)).astype(np.float32)
    kept = unpack_projection(json.loads(json.dumps(pack_projection(matrix))))
    assert np.abs(kept - matrix).max() <= np.abs(matrix).max() / 254 + 1e-7
    assert not unpack_projection(pack_projection(np.zeros((4, 4), dtype=np.float32))).any()


def test_a_projected_token_has_length_1_and_no_projection_changes_nothing() -> None:
    rows = np.eye(3, DIMENSION, dtype=np.float32)
    np.testing.assert_array_equal(project(rows, np.zeros((DIMENSION, DIMENSION), dtype=np.float32)), rows)
    turned = project(rows, np.full((DIMENSION, DIMENSION), 0.1, dtype=np.float32))
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-6)


def test_the_shipped_projection_tells_what_it_was_fitted_on() -> None:
    content = json.loads(PROJECTION_PATH.read_text("utf-8"))
    assert set(content) == {"projection", "fitted", "figures"}
    for figures in content["figures"].values():
        assert figures["with"]["sentence_mrr"] > figures["without"]["sentence_mrr"]
