"""``python -m eval ingest`` end to end, and what it says to bad options."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from eval.__main__ import main
from eval.bench.ingest.benchmark import PARTS, kills_result
from eval.bench.ingest.child_processes import DIMENSION, GeneratedVectors, run_child
from eval.bench.ingest.command import print_results
from rag.errors import SettingsError
from rag.translate import translate


@pytest.mark.parametrize(
    "options", [["--part", "nothing"], ["--scale", "0"], ["--scale", "2"], ["--scale", "x"], ["--seed", "x"]]
)
def test_bad_options(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ingest", *options])
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_a_row_a_part_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=200)
    print_results([kills_result(59, 60)], console, "en")
    print_results([kills_result(60, 60)], console, "zh")
    said = capsys.readouterr().out
    assert "59 / 60" in said
    assert "NO" in said
    assert "达标" in said


def test_every_part_has_its_words() -> None:
    for part in PARTS:
        assert translate(f"bench_ingest.{part}", "en") != translate(f"bench_ingest.{part}", "zh")


def test_generated_vectors_have_the_shape_of_real_ones() -> None:
    texts = ["one two three", "退款 in 7 days"]
    first, again = (GeneratedVectors().embed_passages(texts) for _ in range(2))
    assert first.vectors.shape == (2, DIMENSION)
    assert first.vectors == pytest.approx(again.vectors)
    assert (first.vectors**2).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert [tokens.signs.shape for tokens in first.tokens] == [(3, DIMENSION // 8), (5, DIMENSION // 8)]


@pytest.mark.real
def test_a_child_that_fails_is_told_in_words() -> None:
    with pytest.raises(SettingsError, match=r"eval\.bench\.ingest\.child_processes.*SourceMissing"):
        run_child("eval.bench.ingest.child_processes", "/nowhere", "/nowhere/data")


@pytest.mark.real
@pytest.mark.nightly
def test_a_tiny_run_without_the_encoder(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    code = main(["ingest", "--part", "unchanged", "memory", "kills", "--scale", "0.01", "--json", str(path)])
    figures = json.loads(path.read_text())
    parts = figures["parts"]
    assert list(parts) == ["unchanged", "memory", "kills"]
    assert parts["unchanged"]["figures"]["documents"] == 100
    assert parts["unchanged"]["figures"]["embedded"] == 0
    assert parts["memory"]["figures"]["large"]["chunks"] > 5 * parts["memory"]["figures"]["small"]["chunks"]
    assert parts["kills"]["figures"]["clean"] == 1
    assert code == (0 if all(part["met"] for part in parts.values()) else 1)
