"""Asks a question in other words that change nothing: as customers do who greet, shorten, or write in another hand.

These are the ways that ``rag/reuse/question_key.py`` was made for, so their share says that it works; how many of
all wordings it knows is what the questions tell that others have worded (``benchmark.py``).
"""

import re
from collections.abc import Callable, Iterator, Mapping

from rag.schema import Language

_FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
_DIGITS = dict(zip("23456789", "二三四五六七八九", strict=True))

_ENGLISH: Mapping[str, Callable[[str], str]] = {
    "greeting": lambda text: f"Hi there, {text} Thanks a lot!",
    "asking": lambda text: f"Could you please tell me: {text}",
    "letters": lambda text: f"  {text.lower().rstrip('?')} ??",
    "how": lambda text: re.sub(r"^How (?:do|can) I\b|^How to\b", "how can we", text, flags=re.IGNORECASE),
    "contraction": lambda text: re.sub(r"^(what|where|how|who|when) is\b", r"\1's", text, flags=re.IGNORECASE),
    "width": lambda text: text.translate(_FULL_WIDTH),
}
_CHINESE: Mapping[str, Callable[[str], str]] = {
    "greeting": lambda text: f"您好，请问{text}谢谢",
    "asking": lambda text: f"想咨询一下{text.rstrip('？?')}呢",
    "letters": lambda text: f" {text.rstrip('？?')} ? ",
    "how": lambda text: re.sub("如何|怎么(?!样|办)|怎样", "怎样", text),
    "can": lambda text: re.sub("可以|能否|是否可以|能不能", "能不能", text, count=1),
    "when": lambda text: text.replace("什么时候", "何时"),
    "numerals": lambda text: re.sub(r"(?<![\d.])[2-9](?=[个天年次台])", lambda match: _DIGITS[match.group()], text),
}


def reworded(question: str, language: Language) -> Iterator[tuple[str, str]]:
    """Yield the kinds of rewording that change the question's letters, each with its words."""
    for kind, reword in (_CHINESE if language == "zh" else _ENGLISH).items():
        words = reword(question)
        if words != question:
            yield kind, words
