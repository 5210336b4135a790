"""The turns of one person: what they asked, and what others asked of knowledge bases that they may use as well."""

from collections.abc import Callable

from rag.errors import NotPermitted, TurnMissing
from rag.storage.access import User
from rag.storage.knowledge_bases import KnowledgeBases
from rag.turns.service import TurnService
from rag.turns.snapshot import TurnSnapshot, TurnSummary


class PersonalTurns:
    """What a page may do with turns.  Every call asks anew ``who`` is there, and whether it is theirs.

    A turn's link opens it for everybody who may use its knowledge base, so that it can be handed over; only who asked
    it, or a lead, can stop it.  ``who`` raises a ``PeopleError`` where nobody is signed in any more.
    """

    def __init__(self, turns: TurnService, bases: KnowledgeBases, who: Callable[[], User]) -> None:
        self._turns = turns
        self._bases = bases
        self._who = who

    def submit(
        self,
        token: str,
        question: str,
        knowledge_base: str,
        think: bool | None = None,
        *,
        follows: str = "",
        owner: str = "",
    ) -> str:
        """Ask a knowledge base; arguments are those of ``TurnService.submit``.

        Raises ``AccessDenied``; a question goes on only from a turn of the same knowledge base.
        """
        user = self._who()
        self._bases.require(user, knowledge_base)
        if not self._is_of(follows, knowledge_base):
            follows = ""
        return self._turns.submit(
            f"{user.name} {token}",
            question,
            user.name,
            think,
            follows=follows,
            owner=owner,
            knowledge_base=knowledge_base,
            user=user,
        )

    def snapshot(self, turn_id: str, after_version: int = -1) -> TurnSnapshot | None:
        """Return a turn as ``TurnService.snapshot`` does.  Raises ``TurnMissing`` or ``AccessDenied``."""
        user = self._who()
        snapshot = self._turns.snapshot(turn_id, after_version)
        if snapshot is not None:
            self._bases.require(user, snapshot.knowledge_base)
        return snapshot

    def wait(self, turn_id: str, until: Callable[[TurnSnapshot], bool], *, timeout_seconds: float) -> TurnSnapshot:
        """Return a turn as ``TurnService.wait`` does.  Raises ``TurnMissing`` or ``AccessDenied``."""
        self._seen(turn_id)
        return self._turns.wait(turn_id, until, timeout_seconds=timeout_seconds)

    def cancel(self, turn_id: str) -> None:
        """Stop a turn of one's own; a lead stops anybody's.  Raises ``AccessDenied`` or ``NotPermitted``."""
        user = self._who()
        try:
            turn = self._seen(turn_id)
        except TurnMissing:
            return
        if turn.session != user.name and not user.is_at_least("lead"):
            raise NotPermitted(role="lead")
        self._turns.cancel(turn_id)

    def history(
        self, limit: int = 30, offset: int = 0, *, team: bool = False, containing: str = ""
    ) -> tuple[TurnSummary, ...]:
        """Return one's own turns, newest first; with ``team`` a lead's colleagues' as well.

        Turns of knowledge bases that one may not use (any more) are left out.  Raises ``NotPermitted``.
        """
        user = self._who()
        if team and not user.is_at_least("lead"):
            raise NotPermitted(role="lead")
        bases = None if user.scopes is None else self._bases.names_for(user)
        return self._turns.history(
            None if team else user.name, limit, offset, knowledge_bases=bases, containing=containing
        )

    def _is_of(self, turn_id: str, knowledge_base: str) -> bool:
        try:
            turn = self._turns.snapshot(turn_id)
        except TurnMissing:
            return False
        return turn is not None and turn.knowledge_base == knowledge_base

    def _seen(self, turn_id: str) -> TurnSnapshot:
        turn = self.snapshot(turn_id)
        if turn is None:
            raise TurnMissing
        return turn
