"""Why a text in other words cannot be had, or cannot be used."""

from typing import ClassVar

from rag.errors.asking import TurnError
from rag.errors.base import printable
from rag.schema import Language


class RewritingUnusable(TurnError):
    """A text cannot be put into other words; ``reason`` is one of the keys in ``REASONS``."""

    en = "This cannot be rewritten: {reason}."
    zh = "无法改写：{reason}。"
    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "empty": ("there is no text", "没有文字"),
        "long": ("the text is too long for the model", "文字对模型来说过长"),
        "same_language": ("it is in that language already", "文字已经是该语言"),
        "nothing_to_add": (
            "no passage that a customer may be told says more",
            "没有可以告知客户的资料可供补充",
        ),
    }

    def __init__(self, *, reason: str) -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(self.REASONS)}")
        super().__init__(reason=reason)

    def text(self, language: Language) -> str:
        """Return the sentence with the reason in words."""
        place = 1 if language == "zh" else 0
        return (self.en, self.zh)[place].format(reason=self.REASONS[str(self.details["reason"])][place])


class FactsChanged(TurnError):
    """What a model made of a text says something else: ``before`` was there, ``after`` came instead or in addition.

    ``reason`` is one of the keys in ``REASONS``.
    """

    en = "The model {reason}; the original text was kept."
    zh = "模型{reason}，原文已保留。"
    REASONS: ClassVar[dict[str, tuple[str, str]]] = {
        "changed": ("changed “{before}” to “{after}”", "把“{before}”改成了“{after}”"),
        "lost": ("left out “{before}”", "遗漏了“{before}”"),
        "added": ("wrote “{after}”, which the original does not say", "写了原文没有的内容：“{after}”"),
        "denial": ("left out or added a “not”", "遗漏或添加了否定词"),
        "length": ("left out or added whole sentences", "遗漏或添加了整句内容"),
        "cut": ("did not come to an end", "没有写完"),
        "same": ("changed nothing", "没有作任何改动"),
    }

    def __init__(self, *, reason: str, before: str = "", after: str = "") -> None:
        if reason not in self.REASONS:
            raise ValueError(f"unknown reason {reason!r}; known: {sorted(self.REASONS)}")
        super().__init__(reason=reason, before=before, after=after)

    def text(self, language: Language) -> str:
        """Return the sentence with the reason in words."""
        place = 1 if language == "zh" else 0
        said = {name: printable(str(self.details[name])) for name in ("before", "after")}
        reason = self.REASONS[str(self.details["reason"])][place].format(**said)
        return (self.en, self.zh)[place].format(reason=reason)
