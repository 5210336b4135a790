"""The turns one user may see: their own, and those of knowledge bases they may use."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from rag.errors import NotPermitted, TurnMissing
from rag.schema import Retrieved
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.storage.feedback import FeedbackReason, Opinion, Outcome, OutcomeOrigin, Standing
from rag.turns.service import TurnRequest, TurnService
from rag.turns.snapshot import TurnSnapshot, TurnSummary

Result = TypeVar("Result")


class PersonalTurns:
    """What a page may do with turns.  Every call asks anew ``who`` is there, and whether it is theirs.

    A turn's link opens it for every colleague who may use its knowledge base, so that it can be handed over; only who
    asked it, or a lead, can stop it.  A user for the public audience reaches their own turns only: others' passages may
    be internal.  ``who`` raises a ``PeopleError`` where nobody is signed in any more.  With ``leads`` False a lead is
    as everybody else here: a key has that role by rights that need not be about turns.
    """

    def __init__(
        self, turns: TurnService, bases: KnowledgeBases, who: Callable[[], User], *, leads: bool = True
    ) -> None:
        self._turns = turns
        self._bases = bases
        self._who = who
        self._leads = leads

    def submit(self, token: str, request: TurnRequest, *, tab: str = "") -> str:
        """Ask a knowledge base, from the browser tab of this name; whose turn it is says the person who is signed in.

        Raises ``AccessDenied``, ``QuestionTooLong`` and ``QuestionsTooFast``; a question goes on only from a turn of
        the same knowledge base.
        """
        user = self._who()
        own = self._own(request, user, tab)
        return self._turns.submit(f"{user.name} {token}", own)

    def retrieve(self, request: TurnRequest, *, tab: str = "") -> Future[Retrieved]:
        """Find passages as ``TurnService.retrieve`` does.  Raises ``AccessDenied`` as well."""
        return self._turns.retrieve(self._own(request, self._who(), tab))

    def work(self, work: Callable[[], Result], *, tab: str = "", goes_on: bool = False) -> Future[Result]:
        """Do a piece of work in the line of one's searches, as ``TurnService.work`` does."""
        return self._turns.work(owner_of(self._who(), tab), work, goes_on=goes_on)

    def _own(self, request: TurnRequest, user: User, tab: str) -> TurnRequest:
        self._bases.require(user, request.knowledge_base)
        return replace(
            request,
            follows=request.follows if self._may_follow(user, request) else "",
            session=user.name,
            owner="/".join(filter(None, (owner_of(user, tab), request.asker))),
            conversation=tab,
            user=user,
        )

    def snapshot(self, turn_id: str, after_version: int = -1) -> TurnSnapshot | None:
        """Return a turn as ``TurnService.snapshot`` does.  Raises ``TurnMissing`` or ``AccessDenied``."""
        user = self._who()
        snapshot = self._turns.snapshot(turn_id, after_version)
        if snapshot is not None:
            self._bases.require(user, snapshot.knowledge_base)
            if not _may_see(user, snapshot):
                raise TurnMissing
        return snapshot

    def wait(self, turn_id: str, until: Callable[[TurnSnapshot], bool], *, timeout_seconds: float) -> TurnSnapshot:
        """Return a turn as ``TurnService.wait`` does.  Raises ``TurnMissing`` or ``AccessDenied``."""
        self._seen(turn_id)
        return self._turns.wait(turn_id, until, timeout_seconds=timeout_seconds)

    def listen(self, turn_id: str, tell: Callable[[TurnSnapshot], None]) -> Callable[[], None]:
        """Listen to a turn as ``TurnService.listen`` does.  Raises ``TurnMissing`` or ``AccessDenied``."""
        self._seen(turn_id)
        return self._turns.listen(turn_id, tell)

    def cancel(self, turn_id: str) -> None:
        """Stop a turn of one's own; a lead stops anybody's.  Raises ``AccessDenied`` or ``NotPermitted``."""
        user = self._who()
        try:
            turn = self._seen(turn_id)
        except TurnMissing:
            return
        if turn.session != user.name and not self._is_lead(user):
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
        sees_all = user.scopes is None and user.audience == "internal"
        bases = None if sees_all else self._bases.names_for(user)
        return self._turns.history(
            None if team else user.name, limit, offset, knowledge_bases=bases, containing=containing
        )

    def judge(self, turn_id: str, *, useful: bool, reason: FeedbackReason | None = None) -> None:
        """Keep what one thinks of an answer, beside what others think of it.

        Whose opinion counts says ``TurnFeedback.judge``.  Raises ``TurnMissing`` or ``AccessDenied``.
        """
        turn, user = self._seen(turn_id), self._who()
        asker: Standing = "asker" if turn.session == user.name else "colleague"
        standing: Standing = "lead" if self._is_lead(user) else asker
        self._turns.feedback.judge(turn_id, user.name, useful=useful, reason=reason, standing=standing)

    def opinion(self, turn_id: str) -> Opinion | None:
        """Return what one thought of an answer oneself, else the opinion that counts.

        Raises ``TurnMissing`` or ``AccessDenied``.
        """
        self._seen(turn_id)
        return self._turns.feedback.opinion(turn_id, self._who().name)

    def record_outcome(self, turn_id: str, outcome: Outcome, changed_share: float = 0.0) -> None:
        """Keep what became of an answer of one's own; others' are left as they are.

        Raises ``TurnMissing`` or ``AccessDenied``.
        """
        turn, user = self._seen(turn_id), self._who()
        if turn.session == user.name and turn.final:
            origin = OutcomeOrigin(turn.answer.lane if turn.answer is not None else "", topic_of(turn), group_of(user))
            self._turns.feedback.record(turn_id, outcome, changed_share, origin)

    def _is_lead(self, user: User) -> bool:
        return self._leads and user.is_at_least("lead")

    def _may_follow(self, user: User, request: TurnRequest) -> bool:
        try:
            turn = self._turns.snapshot(request.follows)
        except TurnMissing:
            return False
        return turn is not None and turn.knowledge_base == request.knowledge_base and _may_see(user, turn)

    def _seen(self, turn_id: str) -> TurnSnapshot:
        turn = self.snapshot(turn_id)
        if turn is None:
            raise TurnMissing
        return turn


def _may_see(user: User, turn: TurnSnapshot) -> bool:
    return user.audience == "internal" or turn.session == user.name


def owner_of(user: User, tab: str) -> str:
    """Return who takes turns with the others, and has one person's share: where nobody signs in, each browser tab."""
    return tab if user == LOCAL_USER else user.name


def topic_of(turn: TurnSnapshot) -> str:
    """Return where in the knowledge base an answer comes from: the folder of the first document that it cites.

    Of one that cites nothing, that of the first that was found; a document in no folder is a topic by its title.
    """
    cited = [citation.document_id for citation in turn.answer.citations] if turn.answer is not None else []
    titles = {passage.document_id: passage.title for passage in turn.evidence}
    first = next(iter([*cited, *titles]), "")
    return first.rpartition("/")[0] or titles.get(first, "")


def group_of(user: User) -> str:
    """Return the name of a person's team: the scopes that they hold; empty for who may read everything."""
    return ", ".join(sorted(user.scopes or ()))
