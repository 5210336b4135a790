"""Traditional Chinese characters as simplified ones, one for one: 訂單 is found by 订单, and offsets stay.

``simplified.json`` holds OpenCC's table of characters, the first choice of each.  Where one traditional character is
written as two simplified ones, the choice may be wrong for a word; it is the same in question and document.
"""

import json
from functools import lru_cache
from pathlib import Path

_TABLE_PATH = Path(__file__).with_name("simplified.json")


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    table = json.loads(_TABLE_PATH.read_text(encoding="utf-8"))
    return {ord(one): other for one, other in zip(table["traditional"], table["simplified"], strict=True)}


def simplified(text: str) -> str:
    """Return the text, of the same length, in simplified characters.

    >>> simplified("訂單退款 E07")
    '订单退款 E07'
    """
    return text if text.isascii() else text.translate(_table())
