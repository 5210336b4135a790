"""What pages and routes call: made once for the whole program, shared by all browsers, safe from many threads."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar

from starlette.concurrency import run_in_threadpool

from api.services.attachments import Attachments, DescriberOf, PictureDescriptions
from api.services.jobs import Jobs
from api.services.knowledge import KnowledgeRegistry, KnowledgeService
from api.services.models import ModelRegistry, ModelService
from api.services.quality import CorrectionsOf, QualityRegistry, QualityService
from api.services.turn_feeds import TurnFeeds
from rag.errors import AnswerdeskError
from rag.ollama.neighbours import Neighbours
from rag.people.administration import Administration, KeyAdministration
from rag.people.audit import AuditTrail
from rag.people.directory import People
from rag.people.keys import ApiKeys
from rag.people.sign_ins import FirstAdmin, SignIns
from rag.performance import PerformanceReports, PersonalPerformance
from rag.schema import Language
from rag.storage.access import KnowledgeBases, User
from rag.storage.following import KnowledgeFollower
from rag.turns import (
    PersonalCorrections,
    PersonalRewritings,
    PersonalTurns,
    Translations,
    TurnService,
    WritingService,
)

Result = TypeVar("Result")

ENDING_SECONDS = 10
"""How long a server that has to end waits for the requests that it is answering, in whole seconds for uvicorn."""


@dataclass(frozen=True, slots=True)
class KnowledgeState:
    """The published knowledge base; ``generation`` 0 and ``published_at`` None: there is none.

    ``problem`` says why other desks may have a newer one.
    """

    generation: int = 0
    published_at: datetime | None = None
    documents: int = 0
    passages: int = 0
    problem: AnswerdeskError | None = None


@dataclass(frozen=True, slots=True)
class ModelState:
    """The model that would answer now.  ``name`` is empty where none is known."""

    kind: Literal["starting", "ready", "down", "missing"] = "starting"
    name: str = ""
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A title of the knowledge base, to try the desk with."""

    title: str
    language: Language


@dataclass(frozen=True, slots=True)
class DeskServices:
    """What the pages call, for one person and one knowledge base of theirs.

    None of these waits for an embedder or a model, and each asks again whether it may.  ``descriptions`` is None where
    no model for pictures is set.  ``neighbours`` are the other programs that keep the processor busy now, if any.
    """

    turns: PersonalTurns
    knowledge_state: Callable[[], KnowledgeState]
    model: Callable[[], ModelState]
    topics: Callable[[Language], tuple[Topic, ...]]
    knowledge: KnowledgeService
    quality: QualityService
    knowledge_base: str
    knowledge_bases: tuple[str, ...]
    administration: Administration
    keys: KeyAdministration
    sign_out: Callable[[str], None]
    performance: PersonalPerformance
    corrections: PersonalCorrections
    rewritings: PersonalRewritings
    models: ModelService
    attachments: Attachments
    feeds: TurnFeeds
    descriptions: PictureDescriptions | None
    neighbours: Callable[[], Neighbours | None]


@dataclass(frozen=True, slots=True)
class PeopleServices:
    """Who may sign in.  ``required`` tells whether anybody has to; if not, the person who sits here may do everything.

    ``unverified_email`` lets in whom a provider names without saying that it has verified the address.
    """

    people: People
    sign_ins: SignIns
    audit: AuditTrail
    required: Callable[[], bool]
    first_admin: FirstAdmin
    keys: ApiKeys
    unverified_email: bool = False

    async def ask(self, work: Callable[[], Result]) -> Result:
        """Do what asks about people, from an event loop.

        A file tells whether anything changed within hundredths of a millisecond, and its readers wait for nobody; to
        hand that to a thread takes longer.  A server may not answer, so a thread waits for it.
        """
        return await run_in_threadpool(work) if self.people.on_server else work()


@dataclass(frozen=True, slots=True)
class SharedServices:
    """The program's own, for everybody together: pages get ``of(...)`` and never this."""

    turns: TurnService
    bases: KnowledgeBases
    knowledge_state: Callable[[str], KnowledgeState]
    model: Callable[[], ModelState]
    topics: Callable[[str, Language], tuple[Topic, ...]]
    knowledge_registry: KnowledgeRegistry
    quality: QualityRegistry
    people: PeopleServices
    reports: PerformanceReports
    corrections: CorrectionsOf
    writings: WritingService
    models: ModelRegistry
    first_base: str = "default"
    translations: Translations = field(default_factory=Translations)
    feeds: TurnFeeds = field(default_factory=TurnFeeds)
    files: Jobs = field(default_factory=Jobs)
    describer: DescriberOf | None = None
    descriptions: Jobs = field(default_factory=Jobs)
    follower: KnowledgeFollower | None = None
    neighbours: Callable[[], Neighbours | None] = lambda: None

    def close(self) -> None:
        """Stop what runs: readings, ingests, turns and rewritings."""
        if self.follower is not None:
            self.follower.close()
        self.files.close()
        self.descriptions.close()
        self.knowledge_registry.close()
        self.turns.close()
        self.writings.close()

    def usual_base(self, user: User) -> str:
        """Return the default knowledge base: the program's first, else the user's first."""
        known = self.bases.names_for(user)
        return self.first_base if self.first_base in known or not known else known[0]

    def knowledge_for(self, user: User, name: str) -> KnowledgeState:
        """Return the state of a knowledge base that a user may read; the public's has no internal document in it."""
        state = self.knowledge_state(name)
        if user.audience == "internal":
            return state
        shown = self.knowledge_registry.articles_for(user, name)
        return replace(state, documents=len(shown), passages=sum(row.chunk_count for row in shown))

    def of(self, who: Callable[[], User], chosen_base: str) -> DeskServices:
        """Return the services of the user ``who`` returns, for the knowledge base that they chose.

        One that they may not use gives way to the first that they may.
        """
        user = who()
        names = self.bases.names_for(user)
        sees_all = user.scopes is None and user.audience == "internal"
        usual = self.first_base if self.first_base in names or sees_all else next(iter(names), "")
        base = chosen_base if chosen_base in names else usual

        def guarded() -> str:
            self.bases.require(who(), base)
            return base

        turns = PersonalTurns(self.turns, self.bases, who)
        return DeskServices(
            turns=turns,
            knowledge_state=lambda: self.knowledge_for(who(), guarded()) if base else KnowledgeState(),
            model=self.model,
            topics=lambda language: self.topics(guarded(), language) if base and user.audience == "internal" else (),
            knowledge=KnowledgeService(self.knowledge_registry, base, who, self.bases.require),
            quality=QualityService(self.quality, base, who, self.bases.require),
            knowledge_base=base,
            knowledge_bases=names,
            administration=Administration(self.people.people, self.people.audit, self.bases, who),
            keys=KeyAdministration(self.people.keys, who),
            performance=PersonalPerformance(self.reports, self.bases, who),
            sign_out=self.people.sign_ins.end,
            corrections=self.corrections(who),
            attachments=Attachments(self.files, self.knowledge_registry.settings, who),
            descriptions=PictureDescriptions(self.descriptions, self.describer, who) if self.describer else None,
            rewritings=PersonalRewritings(turns, self.writings, self.translations, self.bases, who),
            feeds=self.feeds,
            models=ModelService(self.models, base, who, self.bases.require),
            neighbours=self.neighbours,
        )
