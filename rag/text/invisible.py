"""Characters that nobody sees: they break words up, turn the reading direction round, or carry a text of their own.

    from rag.text.invisible import INVISIBLE, without_invisible

``INVISIBLE`` is for patterns that must not be walked around: drop all of it before a pattern sees the text.
``without_invisible`` is for text that people see, copy and search: it keeps what a script or an emoji is written with.
"""

import re

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
