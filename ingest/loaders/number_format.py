"""Numbers as a spreadsheet shows them: percent, currencies, decimals, thousands, codes with zeros, elapsed time.

Source: ECMA-376, part 1, 18.8.31.  Dates, fractions, exponents and conditions are left to the caller.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from functools import lru_cache

_TOKEN = re.compile(
    r"""(?P<number>[0#?][0#?,]*+(?:\.[0#?]*+)?,*+|\.[0#?]++|General)|"(?P<quoted>[^"]{0,250}+)"|\\(?P<escaped>.)"""
    r"""|\[\$(?P<currency>[^\]-]{0,30}+)[^\]]{0,30}+\]|\[(?P<bracket>[^\]]{0,60}+)\]|(?P<unseen>[_*].)|(?P<plain>.)""",
    re.DOTALL,
)
_COLOUR = re.compile(r"black|blue|cyan|green|magenta|red|white|yellow|color ?\d{1,2}", re.IGNORECASE)
_NOT_SHOWN_HERE = re.compile(r"[A-Za-z@/]")  # unquoted: dates, exponents, text, fractions
_ELAPSED = re.compile(r"\[(?P<unit>h{1,2}|m{1,2}|s{1,2})\](?::(?P<next>mm|ss))?(?::(?P<last>ss))?", re.IGNORECASE)
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_SECONDS_A_DAY = 86_400
_SIGNIFICANT_DIGITS = 15  # of a spreadsheet
_MOST_FORMATS = 1024
_LARGEST_NUMBER = 1e15
_MOST_DECIMALS = 10  # a Decimal has 28 digits
_LONGEST_CODE = 255  # of a spreadsheet


@dataclass(frozen=True, slots=True)
class _Section:
    """The numbers' places and the words between them, in order."""

    parts: tuple[tuple[bool, str], ...]
    """Each tells whether it is a number's place."""
    is_percent: bool

    @property
    def places(self) -> list[str]:
        return [text for is_number, text in self.parts if is_number]

    @property
    def words(self) -> str:
        return "".join(text for is_number, text in self.parts if not is_number)


def shown_number(number: float, code: str) -> str | None:
    r"""Return the number as the format code shows it, which may be nothing; None where the code is of another kind.

    >>> shown_number(0.035, "0.0%"), shown_number(49.9, '"EUR" 0.00'), shown_number(42, "00000")
    ('3.5%', 'EUR 49.90', '00042')
    >>> shown_number(1234.5, "#,##0.00 [$€-407]"), shown_number(-5, '_-* #,##0.00 "元";[Red]-#,##0.00 "元"')
    ('1,234.50 €', '-5.00 元')
    >>> shown_number(5551234, "000-0000"), shown_number(2500000, '0.0,,"M"'), shown_number(26 / 24, "[h]:mm")
    ('555-1234', '2.5M', '26:00')
    >>> shown_number(42, "General"), shown_number(0.5, "# ?/?"), shown_number(45000, "yyyy-mm-dd")
    (None, None, None)
    >>> shown_number(42, ";;;"), shown_number(50, r"0\%")
    ('', '50%')
    """
    if len(code) > _LONGEST_CODE or not abs(number) < _LARGEST_NUMBER:
        return None
    exact = Decimal(f"{number:.{_SIGNIFICANT_DIGITS}g}")
    elapsed = _ELAPSED.fullmatch(code)
    if elapsed is not None:
        return _elapsed(exact, elapsed) if exact >= 0 else None
    sections = _sections(code)
    if not sections:
        return None
    own = 1 if exact < 0 else 2 if exact == 0 else 0
    section = sections[own] if own < len(sections) else sections[0]
    shown = _shown(abs(exact), section)
    if shown is None or exact >= 0 or not shown:
        return shown
    return shown if re.search(r"[-−(]", section.words) or not re.search(r"[1-9]", shown) else f"-{shown}"


def _elapsed(days: Decimal, form: re.Match[str]) -> str | None:
    """Return hours, minutes and seconds that are not cut at a day: ``26:30``."""
    units = [unit for unit in (form["unit"][0], form["next"], form["last"]) if unit]
    names = "".join(unit[0].lower() for unit in units)
    if names not in "hms":
        return None
    seconds = int((days * _SECONDS_A_DAY).to_integral_value(ROUND_HALF_UP))
    counts = []
    for name in names:
        counts.append(seconds // _SECONDS[name])
        seconds %= _SECONDS[name]
    first = str(counts[0]).zfill(len(form["unit"]))
    return ":".join([first, *(f"{count:02}" for count in counts[1:])])


@lru_cache(_MOST_FORMATS)
def _sections(code: str) -> tuple[_Section, ...]:
    """Return the sections for positive numbers, negative ones and zero; none where one cannot be shown here."""
    if code.strip() in ("", "General"):
        return ()
    sections: list[list[tuple[bool, str]]] = [[]]
    percents = set()
    for token in _TOKEN.finditer(code):
        kind, text = str(token.lastgroup), token[str(token.lastgroup)]
        if kind == "plain" and text == ";":
            sections.append([])
        elif len(sections) > 3:  # the section for text
            continue
        elif (kind == "plain" and _NOT_SHOWN_HERE.match(text)) or (kind == "bracket" and not _COLOUR.fullmatch(text)):
            return ()
        elif kind not in ("unseen", "bracket"):
            sections[-1].append((kind == "number", text))
            if kind == "plain" and text == "%":
                percents.add(len(sections) - 1)
    return tuple(_Section(tuple(parts), number in percents) for number, parts in enumerate(sections[:3]))


def _shown(number: Decimal, section: _Section) -> str | None:
    places = section.places
    if section.is_percent:
        number *= 100
    if len(places) > 1 and any(set(place) - set("0#?") for place in places):
        return None
    digits = _split_code(number, places) if len(places) > 1 else [_digits(number, place) for place in places]
    words = iter(digits)
    shown = "".join(next(words) if is_number else text for is_number, text in section.parts)
    return " ".join(shown.split())


def _split_code(number: Decimal, places: list[str]) -> list[str]:
    """Return the digits of a number that words divide: ``555-1234``."""
    digits = _digits(number, "".join(places)).rjust(sum(map(len, places)))
    found = []
    for place in reversed(places[1:]):
        found.append(digits[-len(place) :])
        digits = digits[: -len(place)]
    return [digits, *reversed(found)]


def _digits(number: Decimal, place: str) -> str:
    """Return the digits for a place such as ``#,##0.00``."""
    if place == "General":
        return f"{number:.10g}" if number % 1 else str(int(number))
    scale = len(place) - len(place.rstrip(","))
    whole, _, decimals = place.rstrip(",").partition(".")
    decimals = decimals[:_MOST_DECIMALS]
    step = Decimal(1).scaleb(-len(decimals))
    rounded = (number / 1000**scale).quantize(step, ROUND_HALF_UP)
    before = int(rounded.to_integral_value(ROUND_FLOOR))
    fraction = str(rounded).partition(".")[2]
    while fraction and decimals[len(fraction) - 1] != "0" and fraction.endswith("0"):
        fraction = fraction[:-1]
    has_thousands = "," in whole and before >= 1000
    figures = f"{before:,}" if has_thousands else (str(before) if before else "").zfill(whole.count("0"))
    return f"{figures}.{fraction}" if fraction else figures
