"""Rewrites a reply or translates a passage on a user's request, with permission checks."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from rag.errors import FactsChanged, NotPermitted, RewritingUnusable, TurnMissing
from rag.rewriting.check import check_rewritten, check_translated
from rag.rewriting.prompts import Wish, rewriting_messages, usable_evidence, written_text
from rag.schema import Evidence, Language
from rag.storage.access import KnowledgeBases, User
from rag.text.language import text_language, third_language
from rag.text.sentences import split_sentences
from rag.turns.personal import PersonalTurns, owner_of
from rag.turns.snapshot import TurnSnapshot
from rag.turns.writings import Writing, WritingService, WritingSnapshot

_GROWTH: dict[Wish, float] = {"friendlier": 2.0, "formal": 2.0, "shorter": 1.2, "longer": 3.0, "translate": 2.0}
_LONGEST_CHARACTERS = 8000
_MOST_SENTENCES = 400  # each is compared with each when the reply is checked
_KEPT_TRANSLATIONS = 1024


class Translations:
    """Translated passages of this process, by (passage, language, model): each is made once.  For many threads.

    They are not kept on the disk: a passage may be of a knowledge base that not everybody may read.
    """

    def __init__(self, limit: int = _KEPT_TRANSLATIONS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[bytes, Language, str], str] = OrderedDict()

    def get(self, text: str, language: Language, model: str) -> str:
        """Return a model's translation of a text; empty where there is none."""
        with self._lock:
            return self._kept.get((_digest(text), language, model), "")

    def keep(self, text: str, language: Language, model: str, translation: str) -> None:
        """Keep a translation, and no more than the newest."""
        with self._lock:
            self._kept[_digest(text), language, model] = translation
            self._kept.move_to_end((_digest(text), language, model))
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)


class PersonalRewritings:
    """Lets the model write for somebody.  Every call asks anew ``who`` is there, and whether the turn is theirs to see.

    What was begun is seen and stopped only by who began it.  Drafts are colleagues' work: a user for the public
    audience is refused with ``NotPermitted``.
    """

    def __init__(
        self,
        turns: PersonalTurns,
        writings: WritingService,
        translations: Translations,
        bases: KnowledgeBases,
        who: Callable[[], User],
    ) -> None:
        self._turns = turns
        self._writings = writings
        self._translations = translations
        self._bases = bases
        self._who = who

    def rewrite(self, token: str, turn_id: str, text: str, wish: Wish, *, tab: str = "") -> str:
        """Begin to put the text of a turn's reply into other words, and return the writing's id.

        ``translate`` is into the language of the turn's question.  Raises ``TurnMissing``, ``AccessDenied``, and
        ``RewritingUnusable`` where there is nothing to be done.
        """
        turn = self._seen(turn_id)
        return self._submit(token, turn, _rewriting(text, wish, turn), tab)

    def translate_passage(self, token: str, turn_id: str, number: int, language: Language, *, tab: str = "") -> str:
        """Begin to translate a passage of a turn, and return the writing's id.

        Raises ``TurnMissing``, ``AccessDenied``, and ``RewritingUnusable`` where it is in that language already.
        """
        turn = self._seen(turn_id)
        passage = next((one for one in turn.evidence if one.number == number), None)
        if passage is None:
            raise RewritingUnusable(reason="empty")
        if passage.language == language:
            raise RewritingUnusable(reason="same_language")
        return self._submit(token, turn, _passage_translation(passage, language, self._translations), tab)

    def translations(self, turn_id: str, language: Language, model: str) -> dict[int, str]:
        """Return what a model made of the turn's passages before, by their number.

        Raises ``TurnMissing`` or ``AccessDenied``.
        """
        found = {
            passage.number: self._translations.get(passage.text, language, model)
            for passage in self._seen(turn_id).evidence
            if passage.language != language
        }
        return {number: text for number, text in found.items() if text}

    def snapshot(self, writing_id: str) -> WritingSnapshot:
        """Return a writing of one's own.  Raises ``TurnMissing``, also for others', or ``AccessDenied``."""
        user, writing = self._who(), self._writings.snapshot(writing_id)
        if writing.user != user.name:
            raise TurnMissing
        self._bases.require(user, writing.knowledge_base)
        return writing

    def cancel(self, writing_id: str) -> None:
        """Stop a writing of one's own; one that is gone is left alone.  Raises ``AccessDenied``."""
        try:
            self.snapshot(writing_id)
        except TurnMissing:
            return
        self._writings.cancel(writing_id)

    def _seen(self, turn_id: str) -> TurnSnapshot:
        if self._who().audience == "public":
            raise NotPermitted(role="agent")
        turn = self._turns.snapshot(turn_id)
        if turn is None:
            raise TurnMissing
        return turn

    def _submit(self, token: str, turn: TurnSnapshot, writing: Writing, tab: str) -> str:
        user = self._who()
        return self._writings.submit(
            f"{user.name} {token}",
            writing,
            knowledge_base=turn.knowledge_base,
            user=user,
            owner=owner_of(user, tab),
            conversation=tab,
        )


def _rewriting(text: str, wish: Wish, turn: TurnSnapshot) -> Writing:
    """Return what is to be written.  Raises ``RewritingUnusable``."""
    text = text.strip()
    if not any(character.isalnum() for character in text):
        raise RewritingUnusable(reason="empty")
    if len(text) > _LONGEST_CHARACTERS or len(split_sentences(text)) > _MOST_SENTENCES:
        raise RewritingUnusable(reason="long")
    if third_language(text):  # neither its facts nor its language could be checked
        raise RewritingUnusable(reason="third_language")
    language = text_language(text)
    wanted = turn.language if wish == "translate" else language
    if wish == "translate" and wanted == language:
        raise RewritingUnusable(reason="same_language")
    evidence = usable_evidence(turn.evidence) if wish == "longer" else ()
    if wish == "longer" and not evidence:
        raise RewritingUnusable(reason="nothing_to_add")

    def take(reply: str, model: str) -> str:
        written = written_text(reply, text)
        if wish == "translate":
            check_translated(text, written)
        else:
            check_rewritten(text, written, evidence, turn.question, may_leave_out=wish == "shorter")
        if written == text:
            raise FactsChanged(reason="same")
        return written

    messages = tuple(rewriting_messages(text, wish, language, evidence, turn.question))
    return Writing(messages, text, _GROWTH[wish], wanted, take)


def _passage_translation(passage: Evidence, language: Language, kept: Translations) -> Writing:
    text = passage.text.strip()

    def take(reply: str, model: str) -> str:
        written = written_text(reply, text)
        check_translated(text, written)
        kept.keep(passage.text, language, model, written)
        return written

    messages = tuple(rewriting_messages(text, "translate", passage.language))
    known = partial(kept.get, passage.text, language)
    return Writing(messages, text, _GROWTH["translate"], language, take, known)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
