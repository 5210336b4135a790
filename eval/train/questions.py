"""Questions to train on and questions to measure with, which share no document.

The measured answers must come from documents that the model has never seen in training.  Questions that name the same
document belong together, and so do those of a document and its translation: they are trained on together, or held out.
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.core.question_sets import stored_questions
from eval.desk.cases import FAR, DeskCase, load_cases
from ingest.golden import GoldenQuestion, load_questions
from rag.errors import SettingsError
from rag.settings import Settings
from rag.storage.curated import CuratedAnswers
from rag.terminal import terminal_language
from rag.translate import translate

_OFF_TOPIC = "off_topic"
_LANGUAGE_OF_PATH = re.compile(r"(?<![a-z])(?:cn\.|intl\.|www\.)?(?:zh|en|cn)(?:[-_](?:cn|hans|us|gb))?(?![a-z])")


@dataclass(frozen=True, slots=True)
class TrainingCase:
    """A question and its reference.

    ``case`` says what a right answer holds.  ``answer`` is a reference answer, an agent's, or empty.  ``documents`` are
    paths that hold the answer, in any language; empty where none does.  ``trusted``: a person of the team wrote the
    answer, and it counts as right as it stands.
    """

    case: DeskCase
    answer: str = ""
    documents: frozenset[str] = frozenset()
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Cases to train on, a few of them to look at meanwhile, and cases of other documents to measure with."""

    training: tuple[TrainingCase, ...]
    checks: tuple[TrainingCase, ...]
    held_out: tuple[TrainingCase, ...]


def load_training_cases(path: Path) -> tuple[TrainingCase, ...]:
    """Read desk cases, or questions with known answers; a folder's are the latter.

    Raises ``SettingsError`` where a line is neither.
    """
    if path.is_file() and _holds_turns(path):
        return tuple(
            TrainingCase(case, documents=frozenset(case.gold_docs if case.answerable else ()))
            for case in load_cases(path)
        )
    return tuple(map(_golden_case, load_questions(path)))


def stored_cases(settings: Settings) -> tuple[TrainingCase, ...]:
    """Return a knowledge base's cases: its serving curated answers, and its regression questions.

    A correction that was accepted serves as a curated answer.  Raises ``KnowledgeBaseMissing``.
    """
    store = CuratedAnswers.of(settings)
    curated = [
        TrainingCase(
            DeskCase(
                case_id=f"curated-{one.number}",
                language=one.kept.language,
                kind="curated",
                turns=(one.kept.question,),
                answerable=True,
                must_contain_any=((one.kept.answer,),),
                gold_docs=tuple(dict.fromkeys(source.document_id for source in one.kept.sources)),
            ),
            answer=one.kept.answer,
            documents=frozenset(source.document_id for source in one.kept.sources),
            trusted=True,
        )
        for one in store.all("serving")
    ]
    store.close()
    return (*curated, *map(_golden_case, stored_questions(settings)))


def split_by_document(cases: Sequence[TrainingCase], held_out: float, seed: int) -> Split:
    """Hold out about a share of the cases, and of the others a tenth to look at while training.

    Those without a document are dealt out by the same shares.  Raises ``SettingsError`` where all cases hang together,
    so that nothing could be held out.
    """
    rest, measured = _split_cases(cases, held_out, f"{seed}-measured")
    if not rest or not any(one.documents for one in measured):
        raise SettingsError(reason=translate("eval_train.one_document", terminal_language(), n=len(cases)))
    training, checks = _split_cases(rest, 0.1, f"{seed}-checked")
    return Split(training, checks, measured)


def _split_cases(
    cases: Sequence[TrainingCase], share: float, seed: str
) -> tuple[tuple[TrainingCase, ...], tuple[TrainingCase, ...]]:
    """Split cases in two parts that share no document, the second with about a ``share`` of them."""
    second: set[str] = set()
    for has_documents in (True, False):
        groups = _connected_groups([one for one in cases if bool(one.documents) == has_documents])
        random.Random(seed).shuffle(groups)
        wanted, taken = share * sum(map(len, groups)), 0
        for group in groups:
            if taken + len(group) / 2 <= wanted:
                second |= {one.case.case_id for one in group}
                taken += len(group)
    return (
        tuple(one for one in cases if one.case.case_id not in second),
        tuple(one for one in cases if one.case.case_id in second),
    )


def _connected_groups(cases: Iterable[TrainingCase]) -> list[list[TrainingCase]]:
    """Return groups of cases that are connected by documents; one without any is a group of its own."""
    group_of: dict[str, list[TrainingCase]] = {}
    groups: list[list[TrainingCase]] = []
    for one in cases:
        keys = {document_key(path) for path in one.documents}
        met = list({id(group_of[key]): group_of[key] for key in sorted(keys) if key in group_of}.values())
        merged = [other for group in met for other in group] + [one]
        groups = [group for group in groups if all(group is not other for other in met)] + [merged]
        for other in merged:
            group_of |= {document_key(path): merged for path in other.documents}
    return groups


def document_key(path: str) -> str:
    """Return the common key of a document and its translation: its path without the name of a language.

    >>> document_key("content/help_zh.md") == document_key("content/help_en.md")
    True
    >>> document_key("zh/returns/dates.md") == document_key("en/returns/dates.md")
    True
    """
    return _LANGUAGE_OF_PATH.sub("*", path.casefold())


def _holds_turns(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = json.loads(next((line for line in file if line.strip()), "{}"))
    except (OSError, ValueError):
        return False  # the reader of questions says what is wrong
    return isinstance(first, dict) and "turns" in first


def _golden_case(one: GoldenQuestion) -> TrainingCase:
    kind = one.kind or "question"
    case = DeskCase(
        case_id=one.question_id,
        language=one.language,
        kind=FAR if kind == _OFF_TOPIC else kind,
        turns=(*([one.previous] if one.previous else []), one.question),
        answerable=one.answerable,
        must_contain_any=one.key_points,
        gold_docs=one.relevant,
        gold_quote=one.quote,
    )
    documents = frozenset((*one.relevant, *one.in_other_language)) if one.answerable else frozenset()
    return TrainingCase(case, one.answers[0] if one.answers else "", documents)
