"""Plots as SVG: drawn here, because a page that is sent by mail can neither run scripts nor fetch any.

matplotlib would be forty megabytes for bars and one diagonal; altair needs a browser to draw at all.  Colours and text
follow the page's own, so that they can be read in the dark as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _ROW, _LABEL, _SHOWN = 640, 26, 190, 110
_PLOT = _WIDTH - _LABEL - _SHOWN
_SQUARE, _MARGIN = 320, 54


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its length in [0, maximum], what stands after it, and a 95 % interval where one is known."""

    label: str
    value: float
    shown: str
    interval: tuple[float, float] | None = None
    group: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One point in [0, 1] x [0, 1]; ``weight`` in [0, 1] is its size."""

    x: float
    y: float
    weight: float
    shown: str


def bar_chart(title: str, bars: Sequence[Bar], maximum: float | None = None) -> str:
    """Return horizontal bars with their intervals; ``maximum`` is the axis's end, else the longest bar's."""
    ends = [bar.interval[1] if bar.interval else bar.value for bar in bars]
    scale = _PLOT / (maximum or max([*ends, 1e-9]))
    height = _ROW * len(bars) + 8
    rows = [_bar(bar, number * _ROW + 4, scale) for number, bar in enumerate(bars)]
    return _figure(title, _WIDTH, height, rows)


def _bar(bar: Bar, top: int, scale: float) -> str:
    length = max(bar.value * scale, 0.0)
    middle = top + _ROW / 2
    end = length
    parts = [
        f'<text x="{_LABEL - 8}" y="{middle:.0f}" class="label">{escape(bar.label)}</text>',
        f'<rect x="{_LABEL}" y="{top + 4}" width="{length:.1f}" height="{_ROW - 8}" class="bar g{bar.group}"/>',
    ]
    if bar.interval:
        low, high = (_LABEL + one * scale for one in bar.interval)
        end = max(length, high - _LABEL)
        parts.append(
            f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 5:.1f}v10M{high:.1f} {middle - 5:.1f}v10"'
            ' class="interval"/>'
        )
    parts.append(f'<text x="{_LABEL + end + 6:.1f}" y="{middle:.0f}" class="value">{escape(bar.shown)}</text>')
    return "".join(parts)


def reliability_chart(title: str, across: str, upward: str, points: Sequence[Point]) -> str:
    """Return the predicted probabilities against the true shares; on the diagonal the two agree."""
    side = _SQUARE - 2 * _MARGIN
    zero, one = _MARGIN, _MARGIN + side
    rows = [
        f'<path d="M{zero} {zero}V{one}H{one}" class="axis"/><path d="M{zero} {one}L{one} {zero}" class="diagonal"/>',
        f'<text x="{(zero + one) / 2}" y="{_SQUARE - 8}" class="middle">{escape(across)}</text>',
        f'<text x="14" y="{(zero + one) / 2}" class="middle" transform="rotate(-90 14 {(zero + one) / 2})">'
        f"{escape(upward)}</text>",
    ]
    for share in (0, 0.5, 1):
        place = zero + share * side
        rows.append(f'<text x="{place}" y="{one + 16}" class="middle">{share:g}</text>')
        rows.append(f'<text x="{zero - 6}" y="{one - share * side}" class="label">{share:g}</text>')
    for point in points:
        radius = 3 + 9 * point.weight**0.5
        rows.append(
            f'<circle cx="{zero + point.x * side:.1f}" cy="{one - point.y * side:.1f}" r="{radius:.1f}" class="bar g0">'
            f"<title>{escape(point.shown)}</title></circle>"
        )
    return _figure(title, _SQUARE, _SQUARE, rows)


def _figure(title: str, width: int, height: int, rows: Sequence[str]) -> str:
    name = escape(title)
    return (
        f'<figure><figcaption>{name}</figcaption><svg role="img" aria-label="{name}" viewBox="0 0 {width} {height}" '
        f'style="max-width:{width}px">{"".join(rows)}</svg></figure>'
    )
