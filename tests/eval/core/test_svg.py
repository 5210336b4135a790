"""Lengths and places of what is drawn, and that every picture is well-formed."""

from xml.etree import ElementTree

import pytest

from eval.core.svg import Bar, Point, bar_chart, reliability_chart


def test_bars_are_as_long_as_their_values() -> None:
    drawn = ElementTree.fromstring(
        bar_chart("A & B", [Bar("<one>", 0.5, "0.500", (0.4, 0.6)), Bar("two", 1.0, "1.000")], 1.0)
    )
    lengths = [float(rect.get("width", "")) for rect in drawn.iter("rect")]
    assert lengths[0] == pytest.approx(lengths[1] / 2)
    texts = [text.text for text in drawn.iter("text")]
    assert texts == ["<one>", "0.500", "two", "1.000"]
    assert len(list(drawn.iter("path"))) == 1, "one interval is known"


def test_the_longest_bar_fills_an_axis_without_an_end() -> None:
    drawn = ElementTree.fromstring(bar_chart("ms", [Bar("p50", 5.0, "5 ms"), Bar("p99", 20.0, "20 ms")]))
    short, long = (float(rect.get("width", "")) for rect in drawn.iter("rect"))
    assert short == pytest.approx(long / 4, abs=0.1)
    assert ElementTree.fromstring(bar_chart("nothing", [])) is not None


def test_points_on_the_diagonal_are_honest() -> None:
    drawn = ElementTree.fromstring(
        reliability_chart("r", "said", "true", [Point(0.0, 0.0, 0.5, "n = 1"), Point(1.0, 1.0, 0.5, "n = 1")])
    )
    low, high = list(drawn.iter("circle"))
    assert float(low.get("cx", "")) < float(high.get("cx", ""))
    assert float(low.get("cy", "")) > float(high.get("cy", "")), "true grows upward"
