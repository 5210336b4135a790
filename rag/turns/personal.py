"""What one user may see and do: turns of their own and of their knowledge bases, and corrections that leads approve."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from rag.errors import CuratedMissing, CuratedReplaced, NotPermitted, TurnMissing
from rag.people.audit import AuditTrail
from rag.reuse.curated import Curation, Place
from rag.schema import Language, Retrieved
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.storage.curated import CuratedAnswer, CuratedEvent, CuratedState
from rag.storage.turn_store import FeedbackReason, Opinion, Outcome, OutcomeOrigin, Standing
from rag.turns.service import TurnRequest, TurnService
from rag.turns.snapshot import TurnSnapshot, TurnSummary

Result = TypeVar("Result")


class PersonalTurns:
    """A page's access to turns.  Every call checks ``who`` it is, and their rights.

    A turn's link opens it for every colleague who may use its knowledge base, so that it can be handed over; only its
    asker, or a lead, can stop it.  A user for the public audience reaches only their own turns: others' passages may be
    internal.  ``who`` raises a ``PeopleError`` if nobody is signed in any more.  With ``leads`` False a lead has no
    special rights here: an API key may have that role for other purposes than turns.
    """

    def __init__(
        self, turns: TurnService, bases: KnowledgeBases, who: Callable[[], User], *, leads: bool = True
    ) -> None:
        self._turns = turns
        self._bases = bases
        self._who = who
        self._leads = leads

    def submit(self, token: str, request: TurnRequest, *, tab: str = "") -> str:
        """Ask a knowledge base from a browser tab, in the name of the signed-in user.

        Raises ``AccessDenied``, ``QuestionTooLong`` and ``QuestionsTooFast``; a question follows up only a turn of the
        same knowledge base.
        """
        user = self._who()
        own = self._own_request(request, user, tab)
        return self._turns.submit(f"{user.name} {token}", own)

    def retrieve(self, request: TurnRequest, *, tab: str = "") -> Future[Retrieved]:
        """Find passages as ``TurnService.retrieve`` does.  Raises ``AccessDenied`` as well."""
        return self._turns.retrieve(self._own_request(request, self._who(), tab))

    def work(self, work: Callable[[], Result], *, tab: str = "", is_continuation: bool = False) -> Future[Result]:
        """Do a piece of work in the line of one's searches, as ``TurnService.work`` does."""
        return self._turns.work(owner_of(self._who(), tab), work, is_continuation=is_continuation)

    def _own_request(self, request: TurnRequest, user: User, tab: str) -> TurnRequest:
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
        self._visible_turn(turn_id)
        return self._turns.wait(turn_id, until, timeout_seconds=timeout_seconds)

    def listen(self, turn_id: str, on_change: Callable[[TurnSnapshot], None]) -> Callable[[], None]:
        """Listen to a turn as ``TurnService.listen`` does.  Raises ``TurnMissing`` or ``AccessDenied``."""
        self._visible_turn(turn_id)
        return self._turns.listen(turn_id, on_change)

    def cancel(self, turn_id: str) -> None:
        """Stop a turn of one's own; a lead stops anybody's.  Raises ``AccessDenied`` or ``NotPermitted``."""
        user = self._who()
        try:
            turn = self._visible_turn(turn_id)
        except TurnMissing:
            return
        if turn.session != user.name and not self._is_lead(user):
            raise NotPermitted(role="lead")
        self._turns.cancel(turn_id)

    def history(
        self, limit: int = 30, offset: int = 0, *, before: str = "", team: bool = False, containing: str = ""
    ) -> tuple[TurnSummary, ...]:
        """Return one's own turns, newest first; with ``team`` a lead's colleagues' as well.

        Turns of knowledge bases that one may not use (any more) are left out.  ``before`` is the ID of a turn: older
        ones are listed.  Raises ``NotPermitted``.
        """
        user = self._who()
        if team:
            user.require("lead")
        sees_all = user.scopes is None and user.audience == "internal"
        bases = None if sees_all else self._bases.names_for(user)
        return self._turns.history(
            None if team else user.name, limit, offset, before=before, knowledge_bases=bases, containing=containing
        )

    def judge(self, turn_id: str, *, useful: bool, reason: FeedbackReason | None = None) -> None:
        """Record the user's opinion of an answer, beside those of others.

        ``TurnFeedback.judge`` says whose opinion counts.  Raises ``TurnMissing`` or ``AccessDenied``.
        """
        turn, user = self._visible_turn(turn_id), self._who()
        asker: Standing = "asker" if turn.session == user.name else "colleague"
        standing: Standing = "lead" if self._is_lead(user) else asker
        self._turns.feedback.judge(turn_id, user.name, useful=useful, reason=reason, standing=standing)

    def opinion(self, turn_id: str) -> Opinion | None:
        """Return the user's opinion of an answer, else the opinion that counts.

        Raises ``TurnMissing`` or ``AccessDenied``.
        """
        self._visible_turn(turn_id)
        return self._turns.feedback.opinion(turn_id, self._who().name)

    def record_outcome(self, turn_id: str, outcome: Outcome, changed_share: float = 0.0) -> None:
        """Record the outcome of the user's own answer; others' are left as they are.

        Raises ``TurnMissing`` or ``AccessDenied``.
        """
        turn, user = self._visible_turn(turn_id), self._who()
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

    def _visible_turn(self, turn_id: str) -> TurnSnapshot:
        turn = self.snapshot(turn_id)
        if turn is None:
            raise TurnMissing
        return turn


def _may_see(user: User, turn: TurnSnapshot) -> bool:
    return user.audience == "internal" or turn.session == user.name


def owner_of(user: User, tab: str) -> str:
    """Return the owner in the queue, who has one user's share: without sign-in, each browser tab."""
    return tab if user == LOCAL_USER else user.name


def topic_of(turn: TurnSnapshot) -> str:
    """Return an answer's topic: the folder of the first document that it cites.

    Without a citation, that of the first passage; for a document without a folder, its title.
    """
    cited = [citation.document_id for citation in turn.answer.citations] if turn.answer is not None else []
    titles = {passage.document_id: passage.title for passage in turn.evidence}
    first = next(iter([*cited, *titles]), "")
    return first.rpartition("/")[0] or titles.get(first, "")


def group_of(user: User) -> str:
    """Return the name of a user's team: their scopes; empty if they may read everything."""
    return ", ".join(sorted(user.scopes or ()))


class PersonalCorrections:
    """Writes and reviews as one user.  Every call checks ``who`` it is, and their rights.

    ``curations`` returns a knowledge base's; ``audit`` records who did what.  ``local_name`` is the user's where nobody
    signs in; may be empty.
    """

    def __init__(
        self,
        curations: Callable[[str], Curation],
        bases: KnowledgeBases,
        who: Callable[[], User],
        audit: AuditTrail | None = None,
        local_name: str = "",
    ) -> None:
        self._curations = curations
        self._bases = bases
        self._who = who
        self._audit = audit
        self._local_name = local_name

    def waits_for_review(self, knowledge_base: str) -> bool:
        """Tell whether a correction of the user needs a review before it serves.  Raises ``AccessDenied``."""
        return self._curation(knowledge_base).waits_for_review and not self._who().is_at_least("lead")

    def write(
        self,
        knowledge_base: str,
        question: str,
        answer: str,
        sources: Sequence[Place] = (),
        *,
        may_skip_review: bool = True,
    ) -> CuratedAnswer:
        """Keep an answer of one's own; a lead's needs no review.

        ``may_skip_review`` False: it does, as an API key may have a lead's role for other purposes.
        Raises ``AccessDenied`` or ``CuratedUnusable``, and ``NotPermitted`` for a user for the public audience.
        """
        user, curation = self._who(), self._curation(knowledge_base)
        if user.audience == "public":
            raise NotPermitted(role="agent")
        reviewed = may_skip_review and user.is_at_least("lead")
        author = self._author_name(user)
        written = curation.write(question, answer, author=author, sources=sources, reviewed=reviewed)
        self._record(user, knowledge_base, written.number, written.state)
        return written

    def list(self, knowledge_base: str, state: CuratedState | None = None) -> list[CuratedAnswer]:
        """Return the answers in a state, or all.  Raises ``AccessDenied``, and ``NotPermitted`` for an agent."""
        self._who().require("lead")
        return self._curation(knowledge_base).all(state)

    def doubtful_sentences(self, knowledge_base: str, answer: str) -> tuple[str, ...]:
        """Return the sentences with a link, a mail address or a number to call that no document has.

        Raises ``AccessDenied``, and ``NotPermitted`` for an agent.
        """
        self._who().require("lead")
        spans = self._curation(knowledge_base).doubtful_sentences(answer)
        return tuple(answer[span.start : span.end] for span in spans)

    def successor(self, knowledge_base: str, number: int) -> CuratedAnswer | None:
        """Return the serving answer that took a retired one's place, if any.

        Raises ``AccessDenied``, ``NotPermitted`` or ``CuratedMissing``.
        """
        self._who().require("lead")
        return self._curation(knowledge_base).successor(number)

    def approve(self, knowledge_base: str, number: int, *, brings_back: bool = True) -> None:
        """Let an answer serve; with ``brings_back``, one that another has replaced, too.

        Raises ``AccessDenied``, ``NotPermitted``, ``CuratedMissing`` or, without ``brings_back``, ``CuratedReplaced``.
        """
        user, curation = self._who().require("lead"), self._curation(knowledge_base)
        if not brings_back:
            _require_current(curation, number)
        curation.approve(number, self._author_name(user))
        self._record(user, knowledge_base, number, "serving")

    def retire(self, knowledge_base: str, number: int, note: str = "") -> None:
        """Stop serving an answer.  Raises ``AccessDenied``, ``NotPermitted`` or ``CuratedMissing``."""
        user = self._who().require("lead")
        self._curation(knowledge_base).retire(number, self._author_name(user), note)
        self._record(user, knowledge_base, number, "retired")

    def edit(self, knowledge_base: str, number: int, question: str, answer: str, language: Language) -> CuratedAnswer:
        """Replace an answer by another text, question or language; it serves at once.

        Raises ``AccessDenied``, ``NotPermitted``, ``CuratedMissing``, ``CuratedUnusable``, or ``CuratedReplaced``
        where another has its place: somebody changed it after the user read it.
        """
        user, curation = self._who().require("lead"), self._curation(knowledge_base)
        old = next((one for one in curation.all() if one.number == number), None)
        if old is None:
            raise CuratedMissing(number=number)
        _require_current(curation, number)
        written = curation.write(
            question,
            answer,
            author=self._author_name(user),
            sources=[Place(one.document_id, one.start, one.end) for one in old.kept.sources],
            valid_until=old.kept.valid_until,
            reviewed=True,
            language=language,
        )
        self._record(user, knowledge_base, written.number, written.state)
        curation.retire_for(number, self._author_name(user), written.number)
        self._record(user, knowledge_base, number, "retired")
        return written

    def history(self, knowledge_base: str, number: int) -> Sequence[CuratedEvent]:
        """Return the history of an answer.  Raises ``AccessDenied`` or ``NotPermitted``."""
        self._who().require("lead")
        return self._curation(knowledge_base).history(number)

    def _curation(self, knowledge_base: str) -> Curation:
        self._bases.require(self._who(), knowledge_base)
        return self._curations(knowledge_base)

    def _author_name(self, user: User) -> str:
        return self._local_name if user == LOCAL_USER else user.name

    def _record(self, user: User, knowledge_base: str, number: int, state: CuratedState) -> None:
        if self._audit is not None:
            self._audit.record(user.name, "correction", knowledge_base, number=number, state=state)


def _require_current(curation: Curation, number: int) -> None:
    """Raise ``CuratedReplaced`` where another answer has taken this one's place."""
    successor = curation.successor(number)
    if successor is not None:
        raise CuratedReplaced(number=number, by=successor.number)
