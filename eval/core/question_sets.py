"""Questions and their documents: a corpus, or a knowledge base that exists."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ingest.golden import GoldenQuestion, load_questions
from rag.errors import SettingsError, SourceMissing
from rag.settings import Settings
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.terminal import terminal_language
from rag.translate import translate

CORPUS_NAME, QUESTIONS_NAME = "corpus.jsonl", "questions.jsonl"

DATA_DIR = Path(__file__).resolve().parents[2] / "data"
GOLDEN_DIR = DATA_DIR / "golden"
DESK_CASES = DATA_DIR / "desk" / "shop.jsonl"
LANGUAGE_CASES = DATA_DIR / "desk" / "languages.jsonl"
OTHER_TRADES_CASES = DATA_DIR / "desk" / "other_trades.jsonl"
"""What customers of a hundred other trades wrote: hardly any knowledge base can answer it."""
KNOWLEDGE_DIR = DATA_DIR / "knowledge"
ATTACKS_DIR = DATA_DIR / "attacks"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Documents, and questions that are asked of them.  ``corpus`` None: the knowledge base that the settings name."""

    name: str
    corpus: Path | None
    questions: tuple[GoldenQuestion, ...]

    @classmethod
    def load(cls, corpus: Path | None, questions: Path) -> "QuestionSet":
        """Read the questions; the set is named after the folder of a ``questions.jsonl``, else after the file.

        Raises ``SettingsError`` when there is no question, ``SourceMissing`` when there is no corpus.
        """
        if corpus is not None and not corpus.exists():
            raise SourceMissing(path=corpus)
        name = questions.resolve().parent.name if questions.name == QUESTIONS_NAME else questions.stem
        return cls(name, corpus, load_questions(questions))

    def with_relevant(self) -> "QuestionSet":
        """Return the questions that say which documents answer them.  Raises ``SettingsError`` when none does."""
        usable = tuple(one for one in self.questions if one.answerable and one.relevant)
        return self._with_questions(usable, "eval.no_relevant")

    def for_other_language(self) -> "QuestionSet":
        """Return the questions whose answer is in two languages, without the documents of the question's own.

        Raises ``SettingsError`` when there is none.
        """
        usable = tuple(
            replace(one, relevant=one.in_other_language, without=one.relevant)
            for one in self.questions
            if one.answerable and one.in_other_language
        )
        return self._with_questions(usable, "eval.no_other_language")

    def answerable(self) -> "QuestionSet":
        """Return the questions whose answer is known.  Raises ``SettingsError`` when none is."""
        usable = tuple(one for one in self.questions if one.answerable and (one.key_points or one.answers))
        return self._with_questions(usable, "eval.no_answerable")

    def _with_questions(self, usable: tuple[GoldenQuestion, ...], missing: str) -> "QuestionSet":
        if not usable:
            raise SettingsError(reason=translate(missing, terminal_language(), questions=self.name))
        return replace(self, questions=usable)

    def draw_sample(self, limit: int, seed: int) -> "QuestionSet":
        """Return ``limit`` of the questions, by the seed; all where it is not positive."""
        return replace(self, questions=draw_sample(self.questions, limit, seed))


def sets_in(folder: Path) -> list[QuestionSet]:
    """Return the sets of a folder: each subfolder, or itself, with a corpus and questions.

    Raises ``SettingsError`` when there is none.
    """
    corpora = [*sorted(folder.glob(CORPUS_NAME)), *sorted(folder.glob(f"*/{CORPUS_NAME}"))]
    found = [one for one in corpora if one.with_name(QUESTIONS_NAME).is_file()]
    if not found:
        raise SettingsError(reason=translate("eval.no_sets", terminal_language(), folder=folder))
    return [QuestionSet.load(corpus, corpus.with_name(QUESTIONS_NAME)) for corpus in found]


def stored_questions(settings: Settings) -> tuple[GoldenQuestion, ...]:
    """Return the regression questions that a knowledge base keeps.

    Where nothing else is known of an answer, the quote that it rests on counts as the answer.

    Raises ``KnowledgeBaseMissing``.
    """
    store = KnowledgeStore(settings.knowledge_dir)
    store.require_generation()
    kept = [(one.number, one.asked) for one in RegressionQuestions(store, settings.questions_database).all()]
    store.close()
    return tuple(_golden(number, asked) for number, asked in kept)


def _golden(number: int, asked: RegressionQuestion) -> GoldenQuestion:
    is_known = asked.answers or asked.key_points
    answers = asked.answers if is_known or not asked.quote else (asked.quote,)
    return GoldenQuestion(
        question_id=f"kept-{number}",
        question=asked.question,
        language=asked.language,
        answerable=True,
        answers=answers,
        key_points=asked.key_points or ((answers,) if answers else ()),
        relevant=asked.document_ids,
        kind=asked.origin,
        quote=asked.quote,
    )


def index_by_name(sets: Sequence[QuestionSet]) -> dict[str, QuestionSet]:
    """Return the sets by their names; the second of a name gets its place after it."""
    named: dict[str, QuestionSet] = {}
    for number, one in enumerate(sets):
        named[one.name if one.name not in named else f"{one.name}-{number}"] = one
    return named


def draw_sample(questions: Sequence[Item], limit: int, seed: int) -> tuple[Item, ...]:
    """Return ``limit`` items in their order, the same for the same seed; all of them where it is not positive."""
    if not 0 < limit < len(questions):
        return tuple(questions)
    kept = sorted(random.Random(seed).sample(range(len(questions)), limit))
    return tuple(questions[index] for index in kept)
