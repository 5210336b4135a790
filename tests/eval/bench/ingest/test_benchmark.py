"""The bars, against numbers worked out by hand."""

import pytest

from eval.bench.ingest.benchmark import (
    Sizes,
    encoder_result,
    kills_result,
    langchain_result,
    memory_result,
    unchanged_result,
)


def test_the_encoder_s_share() -> None:
    result = encoder_result(2000, ingest_seconds=50.0, encoder_seconds=46.0)
    assert result.met
    assert result.figures["ratio"] == 0.92
    assert (result.figures["chunks_per_second"], result.figures["encoder_chunks_per_second"]) == (40.0, 43.48)
    assert not encoder_result(2000, 50.0, 45.9).met


def test_langchain_by_chunks_and_by_tokens() -> None:
    own = {"chunks": 2000, "tokens": 240_000, "seconds": 60.0}
    other = {"chunks": 2100, "tokens": 210_000, "seconds": 189.0}
    result = langchain_result(own, other)
    assert result.figures["ratio"] == 3.0
    assert result.figures["ratio_by_tokens"] == 3.6
    assert result.met
    assert not langchain_result(own | {"seconds": 60.1}, other).met


@pytest.mark.parametrize(("embedded", "process_seconds", "met"), [(0, 5.0, True), (0, 5.01, False), (1, 2.0, False)])
def test_the_second_run_counts_with_its_start(embedded: int, process_seconds: float, met: bool) -> None:
    assert unchanged_result(10_000, embedded, 1.0, process_seconds).met is met


def test_memory_without_the_index() -> None:
    small = {"chunks": 10_000, "peak_bytes": 215_000_000, "index_bytes": 15_000_000}
    large = {"chunks": 100_000, "peak_bytes": 410_000_000, "index_bytes": 150_000_000}
    result = memory_result(small, large)
    assert (result.figures["ratio"], result.met) == (1.3, True)
    assert not memory_result(small, large | {"peak_bytes": 411_000_000}).met


def test_every_kill_counts() -> None:
    assert kills_result(60, 60, seed=4).met
    assert not kills_result(59, 60, seed=4).met


def test_scale() -> None:
    assert Sizes.scaled(1) == Sizes()
    assert Sizes.scaled(0.5).memory_chunks == 50_000
    assert Sizes.scaled(0.0001).kills == 1
    for scale in (0, -1, 1.5):
        with pytest.raises(ValueError, match="scale"):
            Sizes.scaled(scale)
