"""The figures of a run as the cells of a table, and as HTML."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape


def flat_rows(values: Mapping[str, object], skip: Sequence[str], prefix: str = "") -> list[tuple[str, str]]:
    """Return (name, value) of all figures, those of parts after the part's name and a point."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if name in skip:
            continue
        if isinstance(value, Mapping):
            rows += flat_rows(value, (), prefix=f"{prefix}{name}.")
        else:
            rows.append((prefix + name, format_figure(value)))
    return rows


def part_of(values: object, *path: str) -> Mapping[str, object]:
    """Return the figures nested under these names, as in JSON; empty if missing.

    >>> part_of({"arms": {"product": {"n": 3}}}, "arms", "product"), part_of({"arms": None}, "arms", "raw")
    ({'n': 3}, {})
    """
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def format_figure(value: object) -> str:
    """Format a figure for a table: three digits, both ends of a range, a dash for none.

    >>> format_figure(0.25), format_figure(7), format_figure((0.1, 0.4)), format_figure(None)
    ('0.250', '7', '0.100 – 0.400', '-')
    """
    if isinstance(value, (tuple, list)):
        return " – ".join(format_figure(one) for one in value)
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def signed_interval(interval: tuple[float, float] | None) -> str:
    """Format the interval of a difference: both ends with their signs, a dash for none.

    >>> signed_interval((-0.25, 0.5)), signed_interval(None)
    ('-0.250 – +0.500', '–')
    """
    return "–" if interval is None else f"{interval[0]:+.3f} – {interval[1]:+.3f}"


def html_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], is_number: Callable[[str], bool] = lambda cell: False
) -> str:
    """Return a table as HTML; cells that are numbers get the class ``n``.  Without titles there is no head.

    >>> html_table(["a", "b"], [["x", "1"]], str.isdigit)
    '<table><tr><th>a</th><th>b</th></tr><tr><td>x</td><td class="n">1</td></tr></table>'
    """
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(_html_cell(cell, is_number) for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def _html_cell(cell: str, is_number: Callable[[str], bool]) -> str:
    mark = ' class="n"' if is_number(cell) else ""
    return f"<td{mark}>{escape(cell)}</td>"
