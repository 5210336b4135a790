r"""Names of users that cannot be taken for one another: each stands in lists by which an admin chooses whom to change.

After Unicode's UTS #39: letters of scripts that look alike are not mixed ("highly restrictive"), and no two names may
have the same ``skeleton``.
"""

import re
import unicodedata
from typing import Final

from rag.errors import PersonUnusable
from rag.grounding.plain_reading import in_one_script
from rag.invalid_values import PERSON_NAME_PATTERN
from rag.storage.access import LOCAL_USER
from rag.text.characters import INVISIBLE

_NAME = re.compile(PERSON_NAME_PATTERN)
_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_COMMON = frozenset("0123456789._-@+")
_EAST_ASIAN = frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL"})
# a character's name begins with its script, but for these
_SCRIPTS: Final = {"IDEOGRAPHIC": "CJK", "EXTENDED": "ARABIC"}
_DIGITS_LIKE_LETTERS = str.maketrans("I10", "llo")
_KANA_LIKE_IDEOGRAPHS = str.maketrans("カロニタエハトヘー", "力口二夕工八卜へ一")


def usable_name(name: str) -> str:
    r"""Return the name as it is stored, without wide and decorated letters.  Raises ``PersonUnusable``.

    >>> usable_name("\uff32\uff2f\uff2f\uff34"), usable_name("王芳@shop.example")
    ('ROOT', '王芳@shop.example')
    """
    plain = unicodedata.normalize("NFKC", name)
    if _NAME.fullmatch(plain) is None or _INVISIBLE.search(plain) or plain.lower() == LOCAL_USER.name:
        raise PersonUnusable(reason="name")
    scripts = {_script(character) for character in plain if character not in _COMMON}
    if len(scripts) > 1 and not scripts <= _EAST_ASIAN:
        raise PersonUnusable(reason="mixed")
    return plain


def skeleton(name: str) -> str:
    r"""Return what names have in common that look the same; it serves comparison only.

    >>> skeleton("\u0441\u043e\u0441\u043e") == skeleton("coco"), skeleton("Iin1") == skeleton("linl")
    (True, True)
    >>> skeleton("王カ") == skeleton("王力"), skeleton("lin") == skeleton("lín")
    (True, False)
    """
    plain = in_one_script(unicodedata.normalize("NFKC", name))
    return plain.translate(_DIGITS_LIKE_LETTERS).translate(_KANA_LIKE_IDEOGRAPHS).casefold()


def _script(character: str) -> str:
    script = re.split("[ -]", unicodedata.name(character, ""), maxsplit=1)[0]
    return _SCRIPTS.get(script, script)
