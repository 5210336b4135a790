"""Deletes questions and answers: old ones, and those of a customer who is to be forgotten.

    expire_turns(settings, now)                   # what ANSWERDESK_TURN_RETENTION_DAYS says
    erasure = Erasure(settings, Mention("Anna Wu"))
    erasure.find()                                # what holds the name, and how much
    erasure.erase(by="terminal (root)")           # gone from every file that the product keeps such words in

Where customers' words are kept, and what becomes of them, is in docs/people.md.
"""

import codecs
import hashlib
import hmac
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from rag.people.audit import AuditTrail
from rag.reuse.question_key import normalized_question
from rag.settings import Settings
from rag.storage.access import KnowledgeBases
from rag.storage.cached import CachedAnswers
from rag.storage.curated import CuratedAnswers
from rag.storage.regression import RegressionQuestions
from rag.storage.shared_pieces import SharedKnowledge
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import ErasableTurn, TurnErasure, whole_conversations
from rag.text.mention import Mention

KEY_NAME = "erasure.key"
_KEY_BYTES = 32
_AT_ONCE = 100
_CHUNK_BYTES = 1 << 20
_OVERLAP_CHARACTERS = 1000
_NO_TEXT = frozenset({".faiss", ".npz", ".npy"})


@dataclass(frozen=True, slots=True)
class ErasureCounts:
    """The findings about a customer: turns by knowledge base, and how many things of each other kind.

    ``turns`` counts whole conversations: what goes on from a customer's question is about the same matter.  ``running``
    are turns that are being answered now, and stay.  ``left`` are files that hold the words still.
    """

    turns: Mapping[str, int] = field(default_factory=dict)
    running: int = 0
    cached: int = 0
    curated: int = 0
    questions: int = 0
    runs: int = 0
    left: tuple[Path, ...] = ()

    @property
    def total(self) -> int:
        """The number of things to erase."""
        return sum(self.turns.values()) + self.cached + self.curated + self.questions + self.runs


class Erasure:
    """Looks for a customer in all that the data folder keeps of customers' words, and takes it out."""

    def __init__(self, settings: Settings, mention: Mention) -> None:
        self._settings = settings
        self._mention = mention

    def find(self) -> ErasureCounts:
        """Return the findings; nothing is changed."""
        return self._work(dry_run=True)

    def erase(self, by: str) -> ErasureCounts:
        """Erase the findings, record who did it, and look for the words in every file.

        Raises a ``KnowledgeError`` where a database cannot be written; what was erased by then is erased.
        """
        found = self._work(dry_run=False)
        with AuditTrail(self._settings.people_database) as trail:
            trail.record(
                by,
                "customer_forgotten",
                self.pseudonym(),
                turns=sum(found.turns.values()),
                cached=found.cached,
                curated=found.curated,
                questions=found.questions,
                runs=found.runs,
            )
        return found

    def earlier_erasures(self) -> list[datetime]:
        """Return the times of this customer's erasures, the newest first: the record holds a keyed hash of the name."""
        if not (self._settings.data_dir / KEY_NAME).is_file():
            return []
        with AuditTrail(self._settings.people_database) as trail:
            entries = trail.entries(limit=1_000_000) if trail.exists() else ()
        about = self.pseudonym()
        return [entry.at for entry in entries if entry.what == "customer_forgotten" and entry.about == about]

    def pseudonym(self) -> str:
        """Return the customer's name in the record: 128 bits of an HMAC whose key only this data folder has."""
        digest = hmac.new(_key(self._settings.data_dir), self._mention.folded.encode(), hashlib.sha256)
        return digest.hexdigest()[:32]

    def _work(self, *, dry_run: bool) -> ErasureCounts:
        with TurnErasure(self._settings.turns_database) as turns:
            chosen, running = self._choose_turns(turns.all())
            if not dry_run and chosen:
                turns.delete([turn.turn_id for turn in chosen])
            if not dry_run:
                turns.settle(compact=True)
        forms = frozenset(normalized_question(turn.question) for turn in chosen)
        counts: Counter[str] = Counter()
        for name in self._bases():
            counts.update(self._erase_in_base(self._settings.knowledge_folder / name, forms, dry_run=dry_run))
        if not dry_run:
            self._collect_pieces()
        runs = list(self._runs())
        for folder in () if dry_run else runs:
            shutil.rmtree(folder, ignore_errors=True)
        return ErasureCounts(
            turns=dict(Counter(turn.knowledge_base for turn in chosen)),
            running=running,
            cached=counts["cached"],
            curated=counts["curated"],
            questions=counts["questions"],
            runs=len(runs),
            left=() if dry_run else tuple(self._remaining_files()),
        )

    def _choose_turns(self, turns: Iterable[ErasableTurn]) -> tuple[list[ErasableTurn], int]:
        """Return the turns to erase, and the count of those that cannot be erased now."""
        named: list[str] = []
        known: list[ErasableTurn] = []
        for turn in turns:
            if turn.holds(self._mention.is_in):
                named.append(turn.turn_id)
            known.append(replace(turn, written=()))  # the texts of all turns together may be gigabytes
        whole = whole_conversations(known, named)
        chosen = [turn for turn in known if turn.turn_id in whole]
        return [turn for turn in chosen if not turn.running], sum(turn.running for turn in chosen)

    def _erase_in_base(self, folder: Path, forms: frozenset[str], *, dry_run: bool) -> Mapping[str, int]:
        server, holds_it = self._settings.answers_database, self._mention.is_in
        with (
            CachedAnswers(folder) as cached,
            CuratedAnswers(folder, server) as curated,
            CuratedAnswers(folder) as former,  # what was here before they lay on a server
            KnowledgeStore(folder) as store,
        ):
            questions = RegressionQuestions(store, self._settings.questions_database)
            found = {
                "cached": cached.erase(forms, holds_it, dry_run=dry_run),
                "curated": curated.erase(holds_it, dry_run=dry_run),
                "questions": questions.erase(holds_it, dry_run=dry_run),
            }
            if server is not None:
                found["curated"] += former.erase(holds_it, dry_run=dry_run)
                if store.exists():
                    found["questions"] += RegressionQuestions(store).erase(holds_it, dry_run=dry_run)
            for kept in () if dry_run else (cached, curated, former):
                kept.settle(compact=True)
        return found

    def _bases(self) -> tuple[str, ...]:
        """Return the names of the knowledge bases that are here, and of those that are shared."""
        here = KnowledgeBases(self._settings.knowledge_folder).names()
        place = self._settings.knowledge_database
        if place is None:
            return here
        with closing(SharedKnowledge(place)) as shared:
            return tuple(sorted({*here, *shared.tokens()}))

    def _collect_pieces(self) -> None:
        """Delete former generations on the server: they may hold the words of documents."""
        place = self._settings.knowledge_database
        if place is not None:
            with closing(SharedKnowledge(place)) as shared:
                for name in shared.tokens():
                    shared.collect(name, former=False)
                shared.settle()

    def _runs(self) -> Iterator[Path]:
        """Yield the folders of evaluations that quote the customer."""
        for identity in sorted((self._settings.data_dir / "runs").rglob("run.json")):
            if any(contains_mention(path, self._mention) for path in identity.parent.glob("*.json*")):
                yield identity.parent

    def _remaining_files(self) -> Iterator[Path]:
        for path in sorted(self._settings.data_dir.rglob("*")):
            if path.is_file() and path.suffix not in _NO_TEXT and contains_mention(path, self._mention):
                yield path


def contains_mention(path: Path, mention: Mention) -> bool:
    """Tell whether a file's bytes, read as UTF-8, hold a mention, also in a database's deleted rows."""
    decoder, before = codecs.getincrementaldecoder("utf-8")(errors="replace"), ""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                text = before + decoder.decode(chunk)
                if mention.is_in(text):
                    return True
                before = text[-_OVERLAP_CHARACTERS:]
    except FileNotFoundError:  # a file of a moment
        return False
    return False


def expire_turns(settings: Settings, now: datetime, by: str, *, compact: bool = False) -> int:
    """Delete the turns that are older than the settings keep them, and return how many there were.

    Kept answers of the model that are as old go as well, and those to the same questions; what persons wrote stays.
    A little is deleted at a time, so that no question waits for it.
    """
    if settings.turn_retention_days == 0:
        return 0
    moment = now - timedelta(days=settings.turn_retention_days)
    turns, count = TurnErasure(settings.turns_database), 0
    forms: set[str] = set()
    try:
        while batch := turns.turns_before(moment, _AT_ONCE):
            count += turns.delete([turn.turn_id for turn in batch])
            forms.update(normalized_question(turn.question) for turn in batch)
        if count or compact:
            turns.settle(compact=compact)
    finally:
        turns.close()
    for name in KnowledgeBases(settings.knowledge_folder).names():
        with CachedAnswers(settings.knowledge_folder / name) as cached:
            if cached.erase_before(moment) + (cached.erase(forms, lambda _: False) if forms else 0) or compact:
                cached.settle(compact=compact)
    if count:
        with AuditTrail(settings.people_database) as trail:
            trail.record(by, "turns_deleted", "turns", turns=count, days=settings.turn_retention_days)
    return count


def _key(data_dir: Path) -> bytes:
    """Return the data folder's own key, which is made with the first erasure."""
    path = data_dir / KEY_NAME
    try:
        with path.open("xb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        pass
    return path.read_bytes()
