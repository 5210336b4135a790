"""Why a text in other words cannot be had, or cannot be used."""

from rag.errors.asking import TurnError


class RewritingUnusable(TurnError):
    """A text cannot be put into other words; ``reason`` is a key of its reasons in the catalogue."""

    def __init__(self, *, reason: str) -> None:
        self.require_reason(reason)
        super().__init__(reason=reason)


class FactsChanged(TurnError):
    """What a model made of a text says something else: ``before`` was there, ``after`` came instead or in addition.

    ``reason`` is a key of its reasons in the catalogue.
    """

    def __init__(self, *, reason: str, before: str = "", after: str = "") -> None:
        self.require_reason(reason)
        super().__init__(reason=reason, before=before, after=after)
