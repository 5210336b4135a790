"""Completes the rows of Markdown tables below a cell that spans rows.

Markdown has no such cells, and generators of documentation leave them out of the rows below:

    |Type|Memory|Code|Connections|
    |Shared|4 GB|mongo.large|500|
    |8 GB|mongo.xlarge|1000|

To a parser "8 GB" is a type.  Which cells are missing is inferred from the others: figures stand below figures, codes
below codes.  Where forms tell nothing, the first ones are, as long as the table has several such rows.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

_MOST_COLUMNS = 12
_MOST_COLUMNS_WITHOUT_SECTIONS = 2
_ROWS_COMPARED = 5
_LONGEST_FORM_CHARACTERS = 40
_LEAST_ADVANTAGE = 0.2
"""By how much the cells' forms must fit another place better than the first columns, in cells."""
_RUNS = (
    (re.compile(r"\d+(?:[.,]\d+)*"), "9"),
    (re.compile(r"[A-Za-z]+"), "a"),
    (re.compile(r"[\u4e00-\u9fff]+"), "字"),
)
_FEWEST_SHORT_ROWS = 2


def completed_rows(rows: Sequence[Sequence[str]], columns: int) -> list[list[str]]:
    """Return the rows below a table's head, each as its cells; short ones get what stands above their missing cells.

    >>> completed_rows([["Shared", "4 GB", "m.large", "500"], ["8 GB", "m.xlarge", "1000"]], 4)[1]
    ['Shared', '8 GB', 'm.xlarge', '1000']
    """
    completed: list[list[str]] = []
    whole: list[Sequence[str]] = []
    above: list[str] = []
    is_usual = sum(len(row) < columns for row in rows) >= _FEWEST_SHORT_ROWS
    for row in rows:
        places = _places(row, whole[-_ROWS_COMPARED:], columns, is_usual=is_usual) if whole else None
        if places is not None:
            above = list(above)
            for place, cell in zip(places, row, strict=True):
                above[place] = cell
            completed.append(above)
            continue
        if len(row) == columns:
            above = list(row)
            whole.append(row)
        completed.append(list(row))
    return completed


def _places(
    row: Sequence[str], whole: Sequence[Sequence[str]], columns: int, *, is_usual: bool
) -> tuple[int, ...] | None:
    """Return the columns of a short row's cells; None where they are the first ones, as in a row that just ends.

    A single cell in a table of several columns names a section.
    """
    is_section = len(row) == 1 and columns > _MOST_COLUMNS_WITHOUT_SECTIONS
    if is_section or not len(row) < columns <= _MOST_COLUMNS:
        return None
    fits = [[_likeness(cell, column, whole) for column in range(columns)] for cell in row]
    best = _best_places(fits)
    first, last = tuple(range(len(row))), tuple(range(columns - len(row), columns))
    fit_of_first = _fit(fits, first)
    if _fit(fits, best) - fit_of_first >= _LEAST_ADVANTAGE:
        return best
    return last if is_usual and _fit(fits, last) >= fit_of_first - _LEAST_ADVANTAGE else None


def _fit(fits: Sequence[Sequence[float]], places: Sequence[int]) -> float:
    return sum(of_cell[place] for of_cell, place in zip(fits, places, strict=True))


def _best_places(fits: Sequence[Sequence[float]]) -> tuple[int, ...]:
    """Return the ascending places that fit best, the last of them if several do; by dynamic programming.

    >>> _best_places([[0.9, 0.5, 0.1], [0.2, 0.1, 0.8]])
    (0, 2)
    """
    cells, columns = len(fits), len(fits[0])
    best = [[0.0] * (columns + 1)]  # of no cells from each column on
    for of_cell in reversed(fits):
        row = [float("-inf")] * (columns + 1)
        for column in reversed(range(columns)):
            row[column] = max(row[column + 1], of_cell[column] + best[0][column + 1])
        best.insert(0, row)
    places: list[int] = []
    column = 0
    for cell in range(cells):
        while best[cell][column] == best[cell][column + 1]:
            column += 1
        places.append(column)
        column += 1
    return tuple(places)


def _likeness(cell: str, column: int, whole: Sequence[Sequence[str]]) -> float:
    """Return how much a cell's form is like those in a column, in [0, 1]."""
    return max(_likeness_of_forms(_form(cell), _form(row[column])) for row in whole)


@lru_cache(maxsize=4096)
def _likeness_of_forms(one: str, other: str) -> float:
    return 1.0 if one == other else 0.9 * SequenceMatcher(None, one, other, autojunk=False).ratio()


@lru_cache(maxsize=4096)
def _form(cell: str) -> str:
    """Return a cell with a sign for each run of figures, letters or ideographs.

    >>> _form("mdb.shard.4x.2xlarge.d"), _form("8核16GB")
    ('a.a.9a.9a.a', '9字9a')
    """
    form = cell[: 4 * _LONGEST_FORM_CHARACTERS]
    for run, sign in _RUNS:
        form = run.sub(sign, form)
    return form[:_LONGEST_FORM_CHARACTERS]
