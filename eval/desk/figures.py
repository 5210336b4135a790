"""The figures of a run: at which stage each case is lost, by kind and by language.  Pure functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import get_args

from eval.core.statistics import share_interval
from eval.desk.asking import Arm, Passages, Record
from eval.desk.cases import FALSE_PREMISE, FAR, DeskCase
from eval.desk.judging import Reply, Verdict, has_gold, holds_facts, judge
from rag.schema import Guard

STAGES = ("right_document_shown", "facts_shown", "facts_sent", "best_match", "quoted")
"""What can be said of a case before a model is asked, in the order of the way."""

MEASURES = (
    "right", "right_and_cited", "right_unquoted", "facts_sent", "facts_shown", "right_document_shown", "best_match",
    "quoted",
)  # fmt: skip
"""What two runs are compared by; the first that both have is the main one."""

_COUNTED = (*STAGES, "refused", "right", "right_and_cited", "right_unquoted", "ceiling", "langchain")

_REPLY_GUARDS = ("search", *(name for name in get_args(Guard) if name))
GUARDS = (*_REPLY_GUARDS, "injection", "thought")
"""What stands between the evidence and the answer; a thought is held to account like a guard.

``search`` refuses because too little was found; ``injection`` keeps sentences from the model that it takes for orders;
the others are those of ``rag.schema.Guard``.
"""

LOSSES = ("document", "passages", "selection", *_REPLY_GUARDS, "model", "error")
"""Where a case is lost: its document is not shown, its facts not in the passages shown, not in what the model reads; a
guard stopped the right draft; the model did not write what it had read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one case.

    Stages are None where the documents hold nothing to find; ``verdict`` is None where no model was asked and the
    search did not refuse either.  ``right_unquoted`` judges what the model wrote, without the quotation below it.
    """

    case: DeskCase
    record: Record
    right_document_shown: bool | None
    facts_shown: bool | None
    facts_sent: bool | None
    best_match: bool | None
    quoted: bool | None
    verdict: Verdict | None
    right_unquoted: bool | None = None
    ceiling: bool | None = None
    langchain: bool | None = None

    @property
    def refused(self) -> bool:
        """Whether it was refused, by any guard or the model."""
        return not self.record.answerable if self.verdict is None else self.verdict.refused

    @property
    def right(self) -> bool | None:
        """Whether the answer is right; None where there is none to judge."""
        return None if self.verdict is None else self.verdict.right

    @property
    def draft_right(self) -> bool | None:
        """Whether the model's words were right, before a guard stopped them; None if unknown."""
        guards = self.record.guards
        return judge(self.case, Reply(guards.draft)).right if guards.draft else None

    @property
    def lost_in(self) -> str:
        """One of ``LOSSES``; empty where the answer is right, or there is none to judge."""
        if self.right or (self.right is None and self.facts_sent is not False):
            return ""
        if self.record.error:
            return "error"
        if not self.facts_sent:
            if self.facts_shown:
                return "selection"
            return "passages" if self.right_document_shown else "document"
        guard = self.record.guards.stopped_by
        return guard if guard and (self.draft_right or self.draft_right is None) else "model"

    @property
    def right_and_cited(self) -> bool | None:
        """Whether the answer is right and cites a right document."""
        return None if self.verdict is None else self.verdict.right and bool(self.verdict.cites_gold)


def outcomes_of(cases: Sequence[DeskCase], records: Sequence[Record], arm: Arm = "own") -> tuple[Outcome, ...]:
    """Return the outcome of each case that was asked in an arm, in the order of the cases."""
    by_arm = {(one.arm, one.case_id): one for one in records}
    asked = [(case, by_arm[arm, case.case_id]) for case in cases if (arm, case.case_id) in by_arm]
    is_with_model = any(one.answer is not None and one.answer.model for _, one in asked)
    return tuple(_outcome(case, record, by_arm, is_with_model=is_with_model) for case, record in asked)


def values_by_case(outcomes: Sequence[Outcome], measure: str) -> dict[str, float]:
    """Return one of ``MEASURES`` by case: 1.0 or 0.0, omitted if unknown."""
    found = {one.case.case_id: getattr(one, measure) for one in outcomes}
    return {case_id: float(value) for case_id, value in found.items() if value is not None}


def verdict_of(case: DeskCase, record: Record) -> Verdict | None:
    """Judge a record; an error is judged as an empty answer.  None where no model was asked."""
    answer = record.answer
    if answer is None:
        return judge(case, Reply("")) if record.error else None
    cited = tuple(one.document_path for one in answer.citations)
    return judge(case, Reply(answer.text, answer.refused, bool(answer.left_open), cited))


def _is_right_unquoted(case: DeskCase, record: Record) -> bool | None:
    answer = record.answer
    if answer is None:
        return False if record.error else None
    return judge(case, Reply(answer.text_without_quotation, answer.refused, bool(answer.left_open))).right


def _outcome(
    case: DeskCase, record: Record, by_arm: Mapping[tuple[Arm, str], Record], *, is_with_model: bool
) -> Outcome:
    def holds(passages: Passages) -> bool | None:
        return holds_facts(case, passages.text) if case.has_facts else None

    return Outcome(
        case=case,
        record=record,
        right_document_shown=has_gold(record.shown.documents, case.gold_docs) if case.gold_docs else None,
        facts_shown=holds(record.shown),
        facts_sent=holds(record.sent),
        best_match=holds(record.best),
        quoted=holds(record.quoted),
        verdict=verdict_of(case, record) if is_with_model else None,
        right_unquoted=_is_right_unquoted(case, record) if is_with_model else None,
        ceiling=_is_right(case, by_arm.get(("ceiling", case.case_id))),
        langchain=_is_right(case, by_arm.get(("langchain", case.case_id))),
    )


def _is_right(case: DeskCase, record: Record | None) -> bool | None:
    verdict = None if record is None else verdict_of(case, record)
    return None if verdict is None else verdict.right


def summarise(cases: Sequence[DeskCase], records: Sequence[Record]) -> dict[str, object]:
    """Return the run's figures: counts, but for ``tokens`` and ``seconds``.  None where nothing was asked or known.

    The stages, what begins with ``right`` and ``ceiling`` count cases that are answerable as a whole.
    """
    outcomes = outcomes_of(cases, records)
    answerable = [one for one in outcomes if one.case.answerable is True]
    groups = _groups(outcomes)
    own = counts(answerable)
    partly = groups["partly"]
    named = [one.verdict.names_gap and not one.refused for one in partly if one.verdict is not None]
    sizes = {name: len(group) for name, group in groups.items()}
    refused = {name: sum(one.refused for one in group) for name, group in groups.items()}
    answers = [one.record.answer for one in outcomes if one.record.answer is not None]
    return {
        "n": len(outcomes),
        "answerable": len(answerable),
        **{name: own[name] for name in STAGES},
        "tokens": _tokens(answerable),
        "refused": refused,
        "right": own["right"],
        "right_and_cited": own["right_and_cited"],
        "right_unquoted": own["right_unquoted"],
        "missing_half_named": sum(named) if named else None,
        "right_false_premise": counts(groups["false_premise"])["right"],
        "ceiling": own["ceiling"],
        "by_kind": _group_counts(outcomes, lambda one: one.case.kind),
        "by_language": _group_counts(answerable, lambda one: one.case.language),
        "sizes": sizes,
        "right_of_all": counts(outcomes)["right"],
        "guards": guard_figures(outcomes),
        "refused_by": {name: _refusal_counts(group) for name, group in groups.items()},
        "lost_in": _loss_counts(answerable),
        **_langchain_figures(cases, records),
        "intervals": _intervals(answerable, groups),
        "seconds": _seconds(outcomes),
        "errors": sorted(f"{one.case.case_id}: {one.record.error}" for one in outcomes if one.record.error),
        "model": next((one.model for one in answers if one.model), ""),
        "stand_in": any(one.stand_in for one in answers),
    }


def counts(outcomes: Sequence[Outcome]) -> dict[str, int | None]:
    """Return the number of cases that passed each stage; None if unknown for all."""
    return {name: _count([getattr(one, name) for one in outcomes]) for name in _COUNTED}


def guard_figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """Return of each guard how many cases it ``stopped`` (``of_answerable``: such that can be answered as a whole).

    ``right_stopped`` were right before it and are not after it, ``wrong_stopped`` were wrong before it, of which
    ``now_right`` are right after it.  ``unknown``: the model's reply is not known.  A thought stops the
    draft that the model writes without one; the injection guard, facts in the passages shown.
    """
    return {name: _guard(outcomes, name) for name in GUARDS}


def _guard(outcomes: Sequence[Outcome], name: str) -> dict[str, int]:
    met = [(one, *_right_around(one, name)) for one in outcomes if _is_stopped(one, name)]
    return {
        "stopped": len(met),
        "of_answerable": sum(one.case.answerable is True for one, _, _ in met),
        "right_stopped": sum(bool(before and not after) for _, before, after in met),
        "wrong_stopped": sum(before is False for _, before, _ in met),
        "now_right": sum(before is False and bool(after) for _, before, after in met),
        "unknown": sum(before is None for _, before, _ in met),
    }


def _is_stopped(one: Outcome, guard: str) -> bool:
    if guard == "injection":
        return bool(one.record.guards.withheld) or one.record.guards.cuts_question
    if guard == "thought":
        return one.record.answer is not None and bool(one.record.answer.thinking)
    return one.record.guards.stopped_by == guard


def _right_around(one: Outcome, guard: str) -> tuple[bool | None, bool | None]:
    """Return whether the case was right before and after a guard."""
    if guard == "injection":
        if not one.case.has_facts:
            return None, None
        left = one.record.shown.text
        for sentence in one.record.guards.withheld:
            left = left.replace(sentence, " ")
        return one.facts_shown, holds_facts(one.case, left)
    if guard == "thought":
        without = one.record.guards.without_thought
        return (judge(one.case, Reply(without)).right if without else None), one.draft_right
    return one.draft_right, one.right_unquoted


def _refusal_counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    by = [one.record.guards.stopped_by for one in outcomes if one.refused]
    return {name: by.count(name) for name in GUARDS if name in by}


def _loss_counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    lost = [one.lost_in for one in outcomes]
    return {name: lost.count(name) for name in LOSSES if name in lost}


def _langchain_figures(cases: Sequence[DeskCase], records: Sequence[Record]) -> dict[str, object]:
    """Return the figures of LangChain's tutorial, if it was asked."""
    outcomes = outcomes_of(cases, records, "langchain")
    if not outcomes:
        return {}
    answerable = [one for one in outcomes if one.case.answerable is True]
    own = counts(answerable)
    return {
        "langchain": {
            "n": len(outcomes),
            **{name: own[name] for name in ("right_document_shown", "facts_sent", "right")},
            "tokens": _tokens(answerable)["sent"],
            "refused": {name: sum(one.refused for one in group) for name, group in _groups(outcomes).items()},
            "right_of_all": counts(outcomes)["right"],
            "seconds": _seconds(outcomes),
        }
    }


def _count(values: Sequence[bool | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _groups(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {name: [] for name in ("answerable", "partly", "far", "near", "false_premise")}
    for one in outcomes:
        groups[_group(one.case)].append(one)
    return groups


def _group(case: DeskCase) -> str:
    if case.answerable:
        return "partly" if case.answerable == "partly" else "answerable"
    if case.kind == FALSE_PREMISE:
        return "false_premise"
    return "far" if case.kind == FAR else "near"


def _group_counts(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> dict[str, dict[str, int | None]]:
    names = dict.fromkeys(map(key, outcomes))
    groups = {name: [one for one in outcomes if key(one) == name] for name in names}
    return {name: {"n": len(group), **counts(group)} for name, group in groups.items()}


def _tokens(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    read = {"shown": "shown", "sent": "sent", "best_match": "best", "quoted": "quoted"}
    return {name: _mean([getattr(one.record, field).tokens for one in outcomes]) for name, field in read.items()}


def _mean(values: Sequence[int]) -> float | None:
    return round(float(mean(values)), 1) if values else None


def _intervals(answerable: Sequence[Outcome], groups: Mapping[str, Sequence[Outcome]]) -> dict[str, object]:
    """Return 95 % intervals of the shares, in [0, 1]."""
    found: dict[str, object] = {}
    for name in (*STAGES, "right", "right_and_cited", "right_unquoted", "ceiling", "langchain"):
        known = [value for one in answerable if (value := getattr(one, name)) is not None]
        found[name] = share_interval(sum(known), len(known))
    found["refused"] = {
        name: share_interval(sum(one.refused for one in group), len(group)) for name, group in groups.items()
    }
    return found


def _seconds(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return medians: until the evidence, the first word of the answer, and the whole of it."""
    found: dict[str, float | None] = {}
    for name in ("evidence", "first_word", "whole"):
        known = [value for one in outcomes if (value := getattr(one.record.seconds, name)) is not None]
        found[name] = round(median(known), 3) if known else None
    return found
