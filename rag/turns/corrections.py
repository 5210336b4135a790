"""Corrections and reviews of curated answers: agents propose, leads approve."""

from collections.abc import Callable, Sequence

from rag.errors import CuratedMissing, NotPermitted
from rag.people.audit import AuditTrail
from rag.reuse.curated import Curation, Place
from rag.schema import Language
from rag.storage.access import LOCAL_USER, KnowledgeBases, User
from rag.storage.curated import CuratedAnswer, CuratedEvent, CuratedState


class PersonalCorrections:
    """Writes and reviews under somebody's name.  Every call asks anew ``who`` is there, and whether they may.

    ``curations`` gives a knowledge base's; ``audit`` keeps who did what.  Who works where nobody signs in has
    ``local_name``, or none.
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
        """Tell whether what one writes now serves only after a review.  Raises ``AccessDenied``."""
        return self._of(knowledge_base).waits_for_review and not self._who().is_at_least("lead")

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

        ``may_skip_review`` False: it does all the same, for a key has a lead's role by rights to other things.
        Raises ``AccessDenied`` or ``CuratedUnusable``, and ``NotPermitted`` for a user for the public audience.
        """
        user, curation = self._who(), self._of(knowledge_base)
        if user.audience == "public":
            raise NotPermitted(role="agent")
        reviewed = may_skip_review and user.is_at_least("lead")
        author = self._name_of(user)
        kept = curation.write(question, answer, author=author, sources=sources, reviewed=reviewed)
        self._record(user, knowledge_base, kept.number, kept.state)
        return kept

    def list(self, knowledge_base: str, state: CuratedState | None = None) -> list[CuratedAnswer]:
        """Return the answers in a state, or all.  Raises ``AccessDenied``, and ``NotPermitted`` for an agent."""
        self._lead()
        return self._of(knowledge_base).all(state)

    def doubtful_sentences(self, knowledge_base: str, answer: str) -> tuple[str, ...]:
        """Return the sentences with a link, a mail address or a number to call that no document has.

        Raises ``AccessDenied``, and ``NotPermitted`` for an agent.
        """
        self._lead()
        spans = self._of(knowledge_base).doubtful_sentences(answer)
        return tuple(answer[span.start : span.end] for span in spans)

    def approve(self, knowledge_base: str, number: int) -> None:
        """Let an answer serve.  Raises ``AccessDenied``, ``NotPermitted`` or ``CuratedMissing``."""
        user = self._lead()
        self._of(knowledge_base).approve(number, self._name_of(user))
        self._record(user, knowledge_base, number, "serving")

    def retire(self, knowledge_base: str, number: int, note: str = "") -> None:
        """Let an answer serve no more.  Raises ``AccessDenied``, ``NotPermitted`` or ``CuratedMissing``."""
        user = self._lead()
        self._of(knowledge_base).retire(number, self._name_of(user), note)
        self._record(user, knowledge_base, number, "retired")

    def edit(self, knowledge_base: str, number: int, question: str, answer: str, language: Language) -> CuratedAnswer:
        """Keep an answer in other words, or under another language; it serves at once in the place of the old one.

        Raises ``AccessDenied``, ``NotPermitted``, ``CuratedMissing`` or ``CuratedUnusable``.
        """
        user, curation = self._lead(), self._of(knowledge_base)
        old = next((one for one in curation.all() if one.number == number), None)
        if old is None:
            raise CuratedMissing(number=number)
        kept = curation.write(
            question,
            answer,
            author=self._name_of(user),
            sources=[Place(one.document_id, one.start, one.end) for one in old.kept.sources],
            valid_until=old.kept.valid_until,
            reviewed=True,
            language=language,
        )
        self._record(user, knowledge_base, kept.number, kept.state)
        self.retire(knowledge_base, number, f"→ {kept.number}")
        return kept

    def history(self, knowledge_base: str, number: int) -> Sequence[CuratedEvent]:
        """Return who did what to an answer.  Raises ``AccessDenied`` or ``NotPermitted``."""
        self._lead()
        return self._of(knowledge_base).history(number)

    def _of(self, knowledge_base: str) -> Curation:
        self._bases.require(self._who(), knowledge_base)
        return self._curations(knowledge_base)

    def _lead(self) -> User:
        user = self._who()
        if not user.is_at_least("lead"):
            raise NotPermitted(role="lead")
        return user

    def _name_of(self, user: User) -> str:
        return self._local_name if user == LOCAL_USER else user.name

    def _record(self, user: User, knowledge_base: str, number: int, state: CuratedState) -> None:
        if self._audit is not None:
            self._audit.record(user.name, "correction", knowledge_base, number=number, state=state)
