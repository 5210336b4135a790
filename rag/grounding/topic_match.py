"""Tells whether a span of the evidence is about the same subject as a sentence: the same row, codes, names and cases.

A sentence may also reach further than its source: past an "only", to an exception, to all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.grounding.claims import AnswerContext, Cell, Claim, QuotableSpan
from rag.grounding.contradiction import case_words, read_tokens
from rag.schema import Evidence
from rag.text.characters import ideographs, simplified
from rag.text.markup import is_list_item, row_words, without_heading_signs, without_list_mark
from rag.text.quantities import DURATION_UNITS, figures_beyond
from rag.text.statements import (
    Statement,
    content_words,
    name_another_place,
    read_statement,
    spellings,
    stated_figures,
    stem,
)
from rag.text.terms import terms

_CODE_PARTS = re.compile(r"(\D+)(\d+.*)")
_ROW_NUMBER = re.compile(r"\s*+\|\s*+(\d{3,9})\s*+\|")
_LIST = re.compile(r"[,/、，;；]")
_PARTS = re.compile(r"[,;，；、(（](?!\d)|\b(?:and|but|while|whereas)\b|而(?!且)|但")
_LONGEST_LABEL = 6
"""The most tokens of a cell that a sentence may mention in passing."""
_LABELS_OF_A_LIST = 3
"""The fewest rows' names that are a list; of two, a sentence may say different things."""
_TOLD = 0.5
"""The share of an item's words that a claim about it contains."""
_ALIKE_WORDS = 2
"""The fewest words that a claim must have of another row only, to be about that one."""
_NAMED_HEADER = 0.5
"""The share of a column's header that a sentence must contain to name the column."""


_ONLY = re.compile(
    r"\A(?:\W|and |but )*+only (?:the |an? |our |your )?(?P<subject>[^,.;:\n]{2,60}?)"
    r" (?:can|may|is|are|has|have|will|gets?|receives?|qualif\w+|includes?)\b"
    r"|(?:只有|仅限|只限|仅有|[只仅]在|[只仅]对|[只仅]向|[只仅]为|\A\W*+仅)(?P<chinese>[^，,。；;：:、\n]{2,3})",
    re.IGNORECASE,
)
_CLAUSE_ENDS = re.compile(r"[.;:,]\s|[，,。；;：\n]")
_SAYS_ONLY = re.compile(r"\bonly\b|[只仅]", re.IGNORECASE)
_EXCEPT = re.compile(
    r"\b(?:except(?:ing)?(?: for| from)?|excluding|with the exception of|other than|apart from)\b"
    r"(?P<english>(?:[^.,;:)\n]|\.(?=\w)){2,80})"
    r"|除(?:了)?(?P<chinese>[^，,。；;\n]{1,24}?)(?:以外|之外|外)(?![^。；;\n]{0,12}[还也])",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\b(?:all|every)(?: of)?(?: the| our| your)? (?P<english>[a-z]{4,20})\b"
    r"|(?:所有|全部|每[位个名]|各)(?:的)?(?P<chinese>[\u4e00-\u9fff]{2})",
    re.IGNORECASE,
)


def is_same_subject(claim: Claim, span: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether a span may support a claim at all, whatever its words."""
    if span.is_row and claim.language == context.passage(span).language:
        # A row is about what its own cells name: the table's header alone does not make it the right one.
        shared = (claim.statement.words | claim.topic) & span.own.words or claim.statement.codes & span.own.codes
        is_named = not span.own.words or bool(shared) or _is_in_named_column(claim, span, context)
        if not is_named or _is_of_another_column(claim, span):
            return False
        if (
            _affirms_a_denying_cell(claim, span)
            or _has_another_unit(claim, span)
            or _names_another_row(claim, span, context)
        ):
            return False
    return (
        not _takes_figure_of_another_part(claim, span)
        and _codes_agree(claim, span, context)
        and _names_agree(claim, span, context)
        and not name_another_place(claim.statement.names, claim.text, span.text)
    )


def statement_about(claim: Claim, span: QuotableSpan) -> Statement:
    """Return what a span says of the claim's matter: of a row the first cell, and those of the columns that it names.

    "No cover" in the column of the battery denies nothing of the whole device.  A cell that says no denies what the row
    is about: "Tracking | –" is "Tracking not".
    """
    named = _named_cells(claim, span)
    if not named:
        return span.own
    no = "不" if ideographs(span.text) else " not"
    texts = (f"{no} | {cell.text}" if cell.denies else f" | {cell.text}" for cell in named)
    return read_statement("".join((row_words(span.text)[0], *texts)))


def words_about(claim: Claim, span: QuotableSpan) -> str:
    """Return the words of a span, of a row its first cell and those that the claim names, each below its header."""
    named = _named_cells(claim, span)
    if not named or any(cell.denies for cell in named):
        return span.text
    return " | ".join((row_words(span.text)[0], *(f"{cell.name} {cell.text}" for cell in named)))


def _named_cells(claim: Claim, span: QuotableSpan) -> list[Cell]:
    """Return the cells of a row whose header the claim names, or one of whose figures; none where a header lacks."""
    if not span.is_row or len(row_words(span.text)) != len(span.cells) + 1:
        return []
    statement = claim.statement
    return [cell for cell in span.cells if cell.header & statement.words or cell.quantities & statement.quantities]


def _is_in_named_column(claim: Claim, span: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether a claim's figures stand in one cell of a row, below a header that it names, and in no other row.

    "A medium parcel may weigh up to 10 kg" has no word of the row "Maximum weight", but names column and figure.
    """
    figures = claim.statement.quantities
    if not any(
        cell.header and cell.header <= claim.statement.words and figures <= cell.quantities for cell in span.cells
    ):
        return False
    said = claim.statement.words | context.question.words
    return bool(figures) and not any(
        figures & other.own.quantities or said & content_words(row_words(other.text)[0])
        for other in context.spans
        if other != span and _is_of_same_table(span, other)
    )


def _is_of_another_column(claim: Claim, span: QuotableSpan) -> bool:
    """Tell whether a claim names a column of a row, and what it says stands in another one.

    Either it has nothing of the cells that it names, and something of another one, or a figure of another one in place
    of a figure of the same unit, or of "Standard time" where it names what "Express time" has besides.
    """
    statement = claim.statement
    taken_from = [cell for cell in span.cells if cell.quantities & statement.quantities]
    if any(_is_of_sibling(cell, other, statement) for cell in taken_from for other in span.cells):
        return True
    named = [cell for cell in span.cells if _is_named_column(cell, statement)]
    others = [cell for cell in span.cells if cell not in named]
    if (
        named
        and any(_shares_cell(cell, claim) for cell in others)
        and not any(_shares_cell(cell, claim) for cell in named)
    ):
        return True
    taken = {quantity.unit for cell in others for quantity in cell.quantities & statement.quantities}
    if taken & DURATION_UNITS:
        taken |= DURATION_UNITS
    return any(
        quantity.unit in taken and not cell.quantities & statement.quantities
        for cell in named
        for quantity in cell.quantities
    )


def _is_of_sibling(cell: Cell, other: Cell, statement: Statement) -> bool:
    """Tell whether a claim with a figure of one cell names another one, by the words in which their headers differ."""
    own, others = cell.header - other.header, other.header - cell.header
    return (
        bool(cell.header & other.header and own and others)
        and others <= statement.words
        and not own & statement.words
        and not other.quantities & statement.quantities
    )


def _is_named_column(cell: Cell, statement: Statement) -> bool:
    """Tell whether a statement names a cell's column: by its words, its days, or its figure ("2 TB")."""
    figures = stated_figures(cell.name).quantities
    return (
        (bool(cell.header) and cell.header <= statement.words)
        or bool(cell.weekdays & statement.weekdays)
        or (bool(figures) and figures <= statement.quantities)
    )  # fmt: skip


def _shares_cell(cell: Cell, claim: Claim) -> bool:
    words = content_words(cell.text)
    figures = claim.statement.quantities
    if words & claim.statement.words or any(
        own.value == figure.value and own.unit in ("", figure.unit) for own in cell.quantities for figure in figures
    ):
        return True
    return not words and len(cell.text) > 1 and cell.text.isalpha() and cell.text in claim.text  # 不限, 免费


def _affirms_a_denying_cell(claim: Claim, span: QuotableSpan) -> bool:
    """Tell whether a claim without a denial names one column, and its cell says no: "Battery alone: not possible".

    A claim that repeats the cell ("is unavailable") affirms nothing.
    """
    if claim.denies or not any(cell.denies for cell in span.cells):
        return False
    shares = [_share_of_header(cell, claim.statement) for cell in span.cells]
    best = max(shares)
    named = [cell for cell, share in zip(span.cells, shares, strict=True) if share == best]
    if best < _NAMED_HEADER or len(named) != 1 or not named[0].denies:
        return False
    words = content_words(named[0].text)
    return not words or not words <= claim.statement.words


def _has_another_unit(claim: Claim, span: QuotableSpan) -> bool:
    """Tell whether the row has a figure of the claim only under a header with another unit: 32 under EUR as CNY 32."""
    for figure in claim.statement.quantities:
        cells = [
            cell
            for cell in span.cells
            if any(quantity.value == figure.value and not quantity.unit for quantity in cell.quantities)
        ]
        if figure.unit and cells and all(cell.units and figure.unit not in cell.units for cell in cells):
            return True
    return False


def _names_another_row(claim: Claim, span: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether the claim names another row of the table, and has no word that only this row's names have.

    If it names the first cell of another row, then what stands beside its figure in a cell of this one is no name:
    "The label to Norway is EUR 4.95, deducted from the refund" is not of the row of the EU.
    """
    table = _rows_of_table(span, context)
    others = [other.text for other in table if other != span]
    tokens, own = _tokens(claim.text), _labels(span.text)
    other_labels = frozenset[_Label]().union(*map(_labels, others))
    named = {label for label in other_labels - own if len(label.tokens) <= _LONGEST_LABEL and label.tokens <= tokens}
    if _begins_otherwise(span, others, tokens) or _has_another_number(span, others, claim, context):
        return True
    if any(label in named for other in others for label in _labels(row_words(other)[0])):
        own = _labels_beside_figures(span, claim.statement)
    known = frozenset(token for label in other_labels for token in label.tokens)
    return bool(named) and not any(tokens & (label.names - known) or label.tokens <= tokens for label in own)


def _rows_of_table(row: QuotableSpan, context: AnswerContext) -> list[QuotableSpan]:
    """Return the rows of the table that a row stands in, without the header."""
    return [other for other in context.spans if _is_of_same_table(row, other) and not _is_header(other)]


def _begins_otherwise(row: QuotableSpan, others: Sequence[str], tokens: frozenset[str]) -> bool:
    """Tell whether the tokens hold the first cell of another row, and this row's not, or only as a part of it.

    "Drive Plus" is not of the row of "Drive".
    """
    own, firsts = _tokens(row_words(row.text)[0]), [_tokens(row_words(other)[0]) for other in others]
    told = [first for first in firsts if first and first != own and first <= tokens]
    return bool(own) and any(first > own or own.isdisjoint(tokens) for first in told)


def _has_another_number(row: QuotableSpan, others: Sequence[str], claim: Claim, context: AnswerContext) -> bool:
    """Tell whether the question names another row of the table by its number, and the claim names none.

    Asked about error 6101, "Check your name" is not of the row of error 6001.
    """
    own, numbers = _row_number(row.text), frozenset(map(_row_number, others)) - {""}
    asked, named = frozenset(context.question_tokens), frozenset(read_tokens(claim.text))
    return own != "" and own not in asked and not numbers.isdisjoint(asked) and named.isdisjoint({own, *numbers})


def _row_number(row: str) -> str:
    """Return a row's first cell if it is a number of at least three digits: an error's or an article's."""
    match = _ROW_NUMBER.match(row)
    return match[1] if match is not None else ""


def lists_row_of_another_value(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether a claim lists rows of a table, and the other cells of one are in none of the rows that support it.

    "The label is free from the UK, Jersey and EU countries" is not of the rows of the UK and of Jersey.
    """
    tokens = _tokens(claim.text)
    for row in filter(lambda span: span.is_row, chosen):
        table = _rows_of_table(row, context)
        named = {
            other: labels
            for other in table
            if (labels := [label for label in _labels(row_words(other.text)[0]) if label.tokens <= tokens])
        }
        values = frozenset(cell for other in table if other in chosen for cell in _values(other))
        if sum(map(len, named.values())) >= _LABELS_OF_A_LIST and any(
            other not in chosen and values.isdisjoint(_values(other)) for other in named
        ):
            return True
    return False


def tells_of_another_row(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether a claim is about a row that it cites, and says what only another row of the table says.

    "6101: your name does not match" is not of "| 6101 | No number |" beside "| 6001 | The name does not match |".
    """
    words = claim.statement.words
    known = frozenset(word for span in chosen for word in (*span.own.words, *span.around.words))
    for row in filter(lambda span: span.is_row and _is_named_by(claim, span, context), chosen):
        for other in _rows_of_table(row, context):
            if other in chosen or _is_named_by(claim, other, context):
                continue
            of_other = words & other.own.words - known
            if len(of_other) >= _ALIKE_WORDS and len(of_other) > len(words & row.own.words - other.own.words):
                return True
    return False


def _is_named_by(claim: Claim, row: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether a claim names a row by its first cell, or the question does by the number there."""
    first = _tokens(row_words(row.text)[0])
    return (bool(first) and first <= _tokens(claim.text)) or _row_number(row.text) in context.question_tokens


def is_of_another_section(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether a claim names an item of another section that says something else about the same thing.

    "Silver members pay no postage" is not of "We pay the postage", under "Faulty goods", while "Silver members: three
    returns a year without postage" stands under "Change of mind".
    """
    cited = {span.heading for span in chosen}
    return any(
        other.passage_index == span.passage_index
        and other.heading != span.heading
        and (
            _names_item(claim, other, besides=_tokens(f"{span.heading}\n{span.text}"))
            or (other.heading not in cited and _names_heading(claim, other.heading, span, context))
        )
        for span in chosen
        for other in context.spans
    )


def _names_heading(claim: Claim, heading: str, span: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether a claim names the heading of another section, and not the span's: "On Windows, delete it"."""
    named, own = _tokens(without_heading_signs(heading)), _tokens(without_heading_signs(span.heading))
    passage = context.passage(span)
    known = _tokens("\n".join((passage.title, *passage.heading_path, span.text)))
    told = _tokens(claim.text)
    return (
        bool(named and own) and len(named) <= _LONGEST_LABEL and named <= told and not named & known and not own & told
    )


def _names_item(claim: Claim, item: QuotableSpan, besides: frozenset[str]) -> bool:
    """Tell whether a claim names a list item, is about the same thing, and does not tell what the item says.

    ``besides`` are tokens among which the item's name is no other one's.
    """
    label = _item_label(item.text)
    if not label or not label <= _tokens(claim.text) or label <= besides:
        return False
    words, said = claim.statement.words, item.own.words - label
    return bool(words & (_tokens(item.text) - label)) and len(words & said) < _TOLD * len(said)


@lru_cache(maxsize=1024)
def _item_label(text: str) -> frozenset[str]:
    """Return the tokens of what a list item is about: those before its colon; none if it has none or a long one."""
    label, colon, rest = without_list_mark(text).replace("：", ":").partition(":")
    tokens = _tokens(label)
    return tokens if is_list_item(text) and colon and rest.strip() and len(tokens) <= _LONGEST_LABEL else frozenset()


def _is_of_same_table(row: QuotableSpan, other: QuotableSpan) -> bool:
    return other.is_row and other.passage_index == row.passage_index and other.around == row.around


def _is_header(row: QuotableSpan) -> bool:
    """Tell whether a row has only words of its table's header."""
    return row.own.words <= row.around.words


def _values(row: QuotableSpan) -> frozenset[str]:
    """Return a row's cells after the first, in small letters."""
    return frozenset(cell.strip().lower() for cell in row_words(row.text)[1:])


@dataclass(frozen=True, slots=True)
class _Label:
    """A cell that may name its row: its tokens, and those of them that are words and codes, not figures and units."""

    tokens: frozenset[str]
    names: frozenset[str]


def _labels_beside_figures(span: QuotableSpan, statement: Statement) -> frozenset[_Label]:
    """Return the labels of a row's first cell, and of its others without a figure of the statement."""
    first, *others = row_words(span.text)
    names = [cell for cell in others if not statement.quantities & stated_figures(cell).quantities]
    return frozenset[_Label]().union(*map(_labels, [first, *names]))


@lru_cache(maxsize=1024)
def _labels(row: str) -> frozenset[_Label]:
    """Return the cells of a row that have a word or a code; a cell may list several names."""
    names = [name for cell in row_words(row) for name in _LIST.split(cell)]
    labels = [_label(name) for name in names]
    return frozenset(label for label in labels if label.names)


def _label(name: str) -> _Label:
    tokens = _tokens(name)
    words = read_statement(name).words
    return _Label(tokens, frozenset(token for token in tokens if token in words or _CODE_PARTS.fullmatch(token)))


@lru_cache(maxsize=4096)
def _tokens(text: str) -> frozenset[str]:
    return frozenset(stem(term) for term in terms(text))


def gives_each_its_value(claim: Claim, source: str) -> bool:
    """Tell whether a source gives several things a figure each, and the claim gives each that it names its own.

    >>> source = "The device has 36 months of warranty, that of the battery is 12 months."
    >>> claims = ["The battery has 12 months of warranty.", "The battery has 36 months of warranty."]
    >>> [gives_each_its_value(Claim.read(claim, "How long is the warranty?"), source) for claim in claims]
    [True, False]
    """
    valued = [read_statement(text) for text, units in _parts(source) if units]
    told = [read_statement(text) for text, units in _parts(claim.text) if units]
    return (
        not claim.denies
        and len(valued) > 1
        and bool(told)
        and all(any(_is_value_of(own, part, valued) for part in valued) for own in told)
    )


def _is_value_of(claim: Statement, part: Statement, parts: Sequence[Statement]) -> bool:
    """Tell whether a part of a list has the claim's figures, and the claim all by which it differs from the others."""
    label = _label_of_part(part, parts)
    return bool(label) and label <= claim.words | claim.codes and not figures_beyond(claim.quantities, part.quantities)


def _label_of_part(part: Statement, parts: Sequence[Statement]) -> frozenset[str]:
    """Return the words and codes that only this one of the parts has."""
    others = frozenset[str]().union(*(other.words | other.codes for other in parts if other != part))
    return (part.words | part.codes) - others


def _takes_figure_of_another_part(claim: Claim, span: QuotableSpan) -> bool:
    """Tell whether figure and words come from different parts of a list: "49 in Germany, 79 in Austria".

    A later part leaves out what the first one says: "Delivery to Germany costs 5 EUR, to Austria 7 EUR."  Each cell of
    a row is a list of its own: "EUR 9.90, 3-5 days | EUR 19.90, 1-2 days".
    """
    return any(
        _takes_figure_of_another_part_in(text, claim) for text in (row_words(span.text) if span.is_row else [span.text])
    )


def _takes_figure_of_another_part_in(text: str, claim: Claim) -> bool:
    statement = claim.statement
    told = _parts(claim.text) if statement.quantities else ()
    for unit in {figure.unit for figure in statement.quantities}:
        if sum(unit in units for _, units in told) > 1:
            continue  # it gives several things a figure itself
        figures = frozenset(figure for figure in statement.quantities if figure.unit == unit)
        alike = [read_statement(part) for part, units in _parts(text) if unit in units]
        own = [part for part in alike if figures <= part.quantities]
        others = [part for part in alike if part not in own]
        if not own or not others:
            continue
        rest = statement.words - frozenset.intersection(*(part.words for part in alike))
        if not any(part.words & rest for part in own) and any(part.words & rest for part in others):
            return True
        said = statement.words | statement.codes
        named = [part for part in others if (label := _label_of_part(part, alike)) and label <= said]
        is_repeated = any(part.words | part.codes <= said for part in own)
        later = alike[max(map(alike.index, own)) + 1 :]  # they leave out what the first part says
        if any(part in later or not is_repeated for part in named):
            return True
    return False


def words_beside(unit: str, text: str) -> frozenset[str]:
    """Return the words of those parts of a sentence that have a figure of this unit."""
    parts = (part for part, units in _parts(text) if unit in units)
    return frozenset(word for part in parts for word in read_statement(part).words)


@lru_cache(maxsize=2048)
def _parts(text: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the parts of a list, each with the units of its figures."""
    parts = _PARTS.split(text)
    return tuple((part, frozenset(figure.unit for figure in stated_figures(part).quantities)) for part in parts)


def _share_of_header(cell: Cell, statement: Statement) -> float:
    return len(cell.header & statement.words) / max(1, len(cell.header))


def _codes_agree(claim: Claim, span: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether the span or its headings have the claim's code; if they name none, the passage or question may.

    A sentence without a code is about the code of the question: a span about E-1043 is no answer about E-1042.  A row
    that begins with a code is about that one, whatever else it names: "| E22 | R3 | Tank full |", of an R3 with E30.
    """
    codes = span.own.codes | span.around.codes
    if claim.statement.codes & codes:
        return True
    if not claim.statement.codes:
        asked = context.question.codes
        if not asked:
            return True
        about = (stated_figures(row_words(span.text)[0]).codes if span.is_row else frozenset[str]()) or codes
        return bool(about & asked) or not _are_siblings(about, asked)
    passage = stated_figures(context.passage(span).text).codes
    missing = claim.statement.codes - passage
    return not codes and missing <= context.question.codes and not _are_siblings(passage, missing)


def _are_siblings(codes: frozenset[str], others: frozenset[str]) -> bool:
    """Tell whether two codes have the same letters and different numbers: E1042 and E1043, R2 and R3."""
    parts = {match.groups() for code in codes if (match := _CODE_PARTS.fullmatch(code))}
    matches = [match.groups() for code in others if (match := _CODE_PARTS.fullmatch(code))]
    return any(letters == other and number != own for letters, number in parts for other, own in matches)


def _names_agree(claim: Claim, span: QuotableSpan, context: AnswerContext) -> bool:
    """Tell whether the passage has the claim's names.

    A name of the question may be missing if other passages have it, or if the claim denies something of it.  Otherwise
    a passage that does not mention Norway would support a claim about it.  In a passage in another language only the
    names of places are known.
    """
    passage = context.passage(span)
    names = claim.statement.names
    if claim.language != passage.language:
        names = known_across_languages(names)
    if not names:
        return True
    if claim.language != passage.language and not names & span.own.names and known_across_languages(span.own.names):
        return False  # a row or a sentence about another place
    unknown = names - known_names(names, [passage])
    if not unknown <= context.question.names:
        return False
    return claim.denies or unknown <= known_names(unknown, context.evidence)


def known_across_languages(names: frozenset[str]) -> frozenset[str]:
    """Return the names whose other spellings are known, as those of places are in both languages."""
    return frozenset(name for name in names if len(spellings(name)) > 1)


def known_names(names: frozenset[str], passages: Sequence[Evidence]) -> frozenset[str]:
    """Return the names (``Statement.names``) that occur in a passage, its title or its headings."""
    return frozenset(
        name
        for name in names
        if any(_is_named(name, passage.title, passage.heading_path, passage.text) for passage in passages)
    )


@lru_cache(maxsize=16384)
def _is_named(name: str, title: str, headings: tuple[str, ...], text: str) -> bool:
    words = _all_words(title, headings, text)
    return any(spelling in words for spelling in (*spellings(name), stem(name)))  # "Kenyas" of Kenya


@lru_cache(maxsize=1024)
def _all_words(title: str, headings: tuple[str, ...], text: str) -> str:
    return simplified(" ".join((title, *headings, text)).lower())


def drops_only(claim: Claim, chosen: Sequence[QuotableSpan]) -> bool:
    """Tell whether a source speaks of one thing only, and the claim does not name it.

    "Only the AeroPod Pro can be charged wirelessly" is not "The AeroPod 2 can be charged wirelessly".
    """
    said = claim.statement.words
    if claim.denies or _SAYS_ONLY.search(claim.text):
        return False
    for clause in (clause for span in chosen for clause in _CLAUSE_ENDS.split(span.text)):
        if (match := _ONLY.search(clause)) is None or 2 * len(said & content_words(clause)) < len(said):
            continue
        subject = content_words(match["subject"] or match["chinese"])
        if subject and not (subject & said if match["chinese"] else subject <= said):
            return True
    return False


def names_exception(claim: Claim, chosen: Sequence[QuotableSpan]) -> bool:
    """Tell whether a claim says of an exception what its source says of the rest: "except for .de domains"."""
    if claim.denies or _EXCEPT.search(claim.text):
        return False
    for span in chosen:
        for match in _EXCEPT.finditer(span.text):
            rest = content_words(span.text.replace(match[0], " "))
            if claim.statement.words & (content_words(match["english"] or match["chinese"]) - rest):
                return True
    return False


def generalizes(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether a claim is about all of something that its sources do not name: "all customers" of "schools"."""
    if any(context.passage(span).language != claim.language for span in chosen):
        return False
    words = frozenset(word for span in chosen for word in (*span.own.words, *span.around.words))
    return any(
        (things := content_words(match["english"] or match["chinese"])) and not things & words
        for match in _ALL.finditer(claim.text)
    )


def is_of_another_case(claim: Claim, chosen: Sequence[QuotableSpan], context: AnswerContext) -> bool:
    """Tell whether the question names one case, such as an orange light, and the sources are about another.

    Some other span of the evidence must be about the question's case.
    """
    asked = case_words(context.question_tokens)
    if not asked or case_words(read_tokens(claim.text)):
        return False
    cited = frozenset(token for span in chosen for token in read_tokens(span.text))
    missing = {word: others for word, others in asked.items() if word not in cited and others & cited}
    return any(word in read_tokens(span.text) for word in missing for span in context.spans)
