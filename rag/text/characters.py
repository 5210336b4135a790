"""Characters of foreign texts: scripts, simplified forms, invisible characters, runs of blanks, web addresses.

    from rag.text.characters import INVISIBLE, without_invisible

``INVISIBLE`` is for patterns that must not be evaded: remove all of it before matching.  ``without_invisible`` is for
text that people see, copy and search: it keeps the joiners that a script or an emoji needs.

``simplified`` maps character to character, so that 订单 finds 訂單 and offsets stay valid.  ``simplified.json`` is
OpenCC's table of characters, the first choice of each.  If a traditional character has several simplified forms, the
choice may be wrong for a word, but it is the same in question and document.

A document's source is part of a copied reply: ``web_address`` lets it be an address or nothing.

``re`` holds Python's lock during a call and cannot be interrupted: a slow pattern on a million blanks would stop every
thread of the desk.  So text is bounded when it comes in (``squeezed``), and patterns take linear time.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters: the unified ideographs with extension A, the compatibility block and the two upper planes."""

FOOTNOTE_MARK = re.compile(r"\[\^[^\[\]\s]{1,100}+\]")
"""A reference to a footnote, as the loaders write it: "two years[^3]"."""

UNSPACED = f"\u3005\u3007\u3040-\u30ff\uac00-\ud7af{IDEOGRAPHS}"
"""Ideographs, kana and Hangul: scripts without blanks, or whose pairs of characters serve as well as words."""

UNSPACED_PRINT = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
"""The characters of printed Chinese and Japanese: ideographs, kana, and the full-width punctuation of both."""

_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")


def ideographs(text: str) -> list[str]:
    """Return the Chinese characters of a text in order, with repetitions.

    >>> ideographs("Latch 报 E07")
    ['报']
    """
    return [] if text.isascii() else _IDEOGRAPH.findall(text)


def has_ideographs(text: str) -> bool:
    """Tell whether a text has a Chinese character."""
    return not text.isascii() and _IDEOGRAPH.search(text) is not None


_TABLE_PATH = Path(__file__).with_name("simplified.json")


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    table = json.loads(_TABLE_PATH.read_text(encoding="utf-8"))
    return {
        ord(traditional): plain for traditional, plain in zip(table["traditional"], table["simplified"], strict=True)
    }


def simplified(text: str) -> str:
    """Return the text, of the same length, in simplified characters.

    >>> simplified("訂單退款 E07")
    '订单退款 E07'
    """
    return text if text.isascii() else text.translate(_table())


INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The inside of a character class for ``re``: Unicode's Default_Ignorable_Code_Point and the marks of annotations.

Source: DerivedCoreProperties.txt of Unicode 15.1; all of Bidi_Control is among them.  U+FFF9 to U+FFFB are not by that
file, but no program draws them.
"""

_ANY = re.compile(f"[{INVISIBLE}]")
# Arabic, Syriac and N'Ko; the scripts of India and South-East Asia; Mongolian: their letters join or part by U+200C and
# U+200D, and Mongolian chooses its forms by U+180B to U+180F.
_JOINING = "\u0600-\u061b\u061d-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17b3\u17b6-\u17ff\u1900-\u1aaf\ua840-\uabff"
_MONGOLIAN = "\u1820-\u18aa"
# What emoji are made of: symbols, pictures, skin tones.  A letter or a digit is none, but a keycap's digit.
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_FLAGS = "\U0001f3f4(?:{})\U000e007f".format(
    "|".join(
        "".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls")
    )  # the only regions that Unicode recommends: England, Scotland, Wales
)
_WRITTEN = re.compile(
    f"(?P<written>{_FLAGS}"
    f"|(?<=[{_JOINING}{_MONGOLIAN}])[\u200c\u200d](?=[{_JOINING}{_MONGOLIAN}])"
    f"|(?<=[{_MONGOLIAN}])[\u180b-\u180f]"
    f"|(?<=[{_EMOJI}])[\ufe0e\ufe0f](?:\u200d(?=[{_EMOJI}]))?"
    f"|(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])"
    "|(?<=[0-9#*])\ufe0f(?=\u20e3))"
    f"|[{INVISIBLE}]+"
)


def without_invisible(text: str) -> str:
    r"""Return a text of visible characters alone; the joiners of scripts and of emoji stay where they are needed.

    >>> without_invisible("refu\u200bnd\u202e fees"), without_invisible("\u2764\ufe0f 7\ufe0f") == "\u2764\ufe0f 7"
    ('refund fees', True)
    """
    if text.isascii() or _ANY.search(text) is None:
        return text
    return _WRITTEN.sub(lambda found: found["written"] or "", text)


def one_line(text: str) -> str:
    r"""Return a title or a name: visible characters in one line, runs of blanks as one.

    >>> one_line(" Returns\n\u202eand\tfees ")
    'Returns and fees'
    """
    return " ".join(without_invisible(text).split())


LONGEST_BLANK_RUN_CHARACTERS = 200
"""The longest run of white space that is kept.  Indented code and padded tables have shorter ones."""
_LONG_BLANK_RUN = re.compile(rf"(?<!\s)\s{{{LONGEST_BLANK_RUN_CHARACTERS + 1},}}+")


def squeezed(text: str) -> str:
    r"""Return text with at most 200 characters of white space in a row.

    A longer run becomes at most one empty line and the last line's indentation.

    >>> squeezed("a" + " " * 9000 + "b") == "a" + " " * 200 + "b", squeezed("a" + "\n" * 9000 + "  b")
    (True, 'a\n\n  b')
    """
    return _LONG_BLANK_RUN.sub(_short_run, text)


def _short_run(match: re.Match[str]) -> str:
    *lines, indentation = match.group().split("\n")
    return "\n" * min(len(lines), 2) + indentation[: LONGEST_BLANK_RUN_CHARACTERS - min(len(lines), 2)]


LONGEST_ADDRESS_CHARACTERS = 500
_NOT_IN_AN_ADDRESS = frozenset('\\<>"{}|^`')  # RFC 3986, 2: neither reserved nor unreserved
_RESERVED_IN_AN_ADDRESS = "%:/?#[]@!$&'()*+,;=~"


def web_address(text: str) -> str:
    """Return the one http or https address that ``text`` is, else an empty string.

    It has at most ``LONGEST_ADDRESS_CHARACTERS``, all of them printable, and no user or password before its host.  All
    but ASCII is percent-encoded (RFC 3987, 3.1): a Chinese sentence after the host could be read as one.

    >>> web_address(" https://shop.example/returns?id=7 "), web_address("https://例子.cn/退货")
    ('https://shop.example/returns?id=7', 'https://xn--fsqu00a.cn/%E9%80%80%E8%B4%A7')
    >>> web_address("https://shop.example Pay at evil.example"), web_address("javascript:alert(1)")
    ('', '')
    """
    address = text.strip()
    if not address or len(address) > LONGEST_ADDRESS_CHARACTERS or not address.isprintable() or " " in address:
        return ""
    if without_invisible(address) != address or _NOT_IN_AN_ADDRESS & set(address):
        return ""
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # a port that is no number, a bracket left open, a label of over 63 bytes
        return ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return ""
    place = f"[{host}]" if ":" in host else host
    rest = (quote(part, safe=_RESERVED_IN_AN_ADDRESS) for part in (parts.path, parts.query, parts.fragment))
    encoded = urlunsplit((parts.scheme, place if port is None else f"{place}:{port}", *rest))
    return encoded if len(encoded) <= LONGEST_ADDRESS_CHARACTERS else ""
