"""Two runs question by question: which wins, whether that could be chance, and both results of each question.

A finished run's results are computed again from its folder.
"""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter

from eval.answers.asking import ARMS, RECORDS, Arm
from eval.answers.metrics import wanted_words
from eval.answers.scores import Score, score, scores_of
from eval.code.records import VERDICTS, VERDICTS_NAME, passed_by_problem
from eval.core.conditions import conditions_of
from eval.core.runs import Run, read_records
from eval.core.statistics import Interval, mean_interval, rounded_mean
from eval.desk.asking import RECORDS as DESK_RECORDS
from eval.desk.asking import Arm as DeskArm
from eval.desk.cases import CASES
from eval.desk.figures import MEASURES as DESK_MEASURES
from eval.desk.figures import outcomes_of, values_by_case
from eval.refusal.benchmark import JUDGEMENTS
from eval.retrieval.rankings import METRICS, RANKINGS
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.settings import Settings
from rag.terminal import terminal_language
from rag.translate import translate

Outcome = Literal["win", "tie", "loss"]

Values = Mapping[str, Mapping[str, float]]
"""By measure, then by question; a question is left out where the measure makes no sense."""

_ROWS = TypeAdapter(dict[str, object])
_IDS = ("question_id", "case_id", "task_id")
"""Where a question, a case of the desk or a problem of code has its id."""

_WORDS = ("question", "previous", "turns", "prompt")
"""Where it has what is asked."""

_INEXACTNESS = 1e-9
"""Values are shares of a few thousand words at the most: two that differ are further apart."""

MAIN_MEASURES = {"answers": "right", "retrieval": "recall_at_1", "refusal": "right"}

RunArm = Arm | DeskArm
RUN_ARMS: tuple[RunArm, ...] = (*ARMS, "langchain")


def values_of(run: Run, arm: RunArm = "own") -> Values:
    """Return the values of a run of ``answers`` or ``desk`` (of one arm), ``retrieval``, ``refusal`` or ``code``.

    Raises ``SettingsError`` where it is none of these, is damaged, or does not have the arm.
    """
    match run.identity().get("command"):
        case "answers":
            scores = scores_of(run.questions(), run.records(RECORDS), arm) if arm in ARMS else []
            if not scores:
                raise _missing_arm(run, arm)
            return {name: _known_values(scores, name) for name in ("right", "token_f1", "rouge_l", "supported_share")}
        case "desk":
            outcomes = outcomes_of(run.questions_as(CASES), run.records(DESK_RECORDS), arm) if arm != "floor" else ()
            if not outcomes:
                raise _missing_arm(run, arm)
            names = DESK_MEASURES if arm == "own" else ("right", "facts_sent", "right_document_shown")
            by_measure = {name: values_by_case(outcomes, name) for name in names}
            return {name: values for name, values in by_measure.items() if values}
        case "retrieval":
            rankings = run.records(RANKINGS)
            return {
                name: {one.question_id: metric(one.documents, one.relevant, k) for one in rankings}
                for name, (metric, k) in METRICS.items()
            }
        case "refusal":
            judged = run.records(JUDGEMENTS)
            return {"right": {one.question_id: float(one.refused != one.answerable) for one in judged}}
        case "code":
            counts = passed_by_problem(read_records(run.folder / VERDICTS_NAME, VERDICTS))
            return {"passed": {task: passed / samples for task, (samples, passed) in counts.items()}}
    raise SettingsError(reason=translate("eval.run_damaged", terminal_language(), path=run.folder / "run.json"))


def _missing_arm(run: Run, arm: RunArm) -> SettingsError:
    return SettingsError(reason=translate("eval.arm_missing", terminal_language(), run=run.folder.name, arm=arm))


def evidence_tokens(run: Run, arm: RunArm) -> dict[str, float]:
    """Return how much evidence the model was sent, by question, where it was asked; none of a run without answers."""
    if run.identity().get("command") == "desk":
        sent = [one for one in run.records(DESK_RECORDS) if one.arm == arm and one.answer and one.answer.model]
        return {one.case_id: float(one.sent.tokens) for one in sent}
    if run.identity().get("command") != "answers":
        return {}
    records = [one for one in run.records(RECORDS) if one.arm == arm and one.tokens.prompt]
    return {one.question_id: float(one.tokens.evidence) for one in records}


def arm_of(name: str) -> tuple[str, RunArm]:
    """Split ``RUN:ARM``; the arm is the product's own where none is named.

    >>> arm_of("monday:ceiling"), arm_of("monday")
    (('monday', 'ceiling'), ('monday', 'own'))
    """
    run, _, given = name.rpartition(":")
    for arm in RUN_ARMS:
        if run and given == arm:
            return run, arm
    return name, "own"


def _known_values(scores: Sequence[Score], name: str) -> dict[str, float]:
    found = {score.question_id: getattr(score, name) for score in scores}
    return {key: float(value) for key, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure of the questions that both runs have.  A win is the second run's; higher is better.

    ``p_value`` is of the exact two-sided sign test, which for right and wrong is McNemar's exact test; ``interval`` is
    of the mean difference, second less first.
    """

    measure: str
    n: int
    first: float
    second: float
    difference: float
    interval: Interval | None
    wins: int
    ties: int
    losses: int
    p_value: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would give as lopsided a result in less than 5 % of cases."""
        return self.p_value < 0.05


@dataclass(frozen=True, slots=True)
class EvidenceTokens:
    """Mean evidence tokens per question, over the questions for which both models were asked; the second's share."""

    first: float
    second: float
    share: float


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A run that was not finished: ``done`` of ``total`` questions have a record."""

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs, measure by measure, the main one first; ``outcomes`` is that measure's, by question id."""

    first: str
    second: str
    measures: tuple[Comparison, ...]
    outcomes: Mapping[str, Outcome]
    evidence_tokens: EvidenceTokens | None
    settings: Mapping[str, tuple[object, object]]
    """The settings that differ, with both values; none where a run of an older program keeps no settings."""

    judged_otherwise: tuple[str, ...] = ()
    """Ids of the questions whose words are the same, but not what is known of their answers."""

    unfinished: tuple[UnfinishedRun, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the comparison for programs, its measures by name."""
        return {
            "first": self.first,
            "second": self.second,
            "measures": {one.measure: asdict(one) for one in self.measures},
            "questions": dict(self.outcomes),
            "evidence_tokens": asdict(self.evidence_tokens) if self.evidence_tokens else None,
            "settings": {name: list(values) for name, values in self.settings.items()},
            "judged_otherwise": list(self.judged_otherwise),
            "unfinished": [asdict(one) for one in self.unfinished],
        }


def compare_runs(first: str, second: str, settings: Settings) -> RunComparison:
    """Compare two runs by name or folder (``RUN:ceiling`` for another arm) on the questions that both have.

    Raises ``SettingsError`` where the runs have no measure, or no question, in common.
    """
    sides = [(Run.find(name, settings), arm) for name, arm in map(arm_of, (first, second))]
    runs = [run for run, _ in sides]
    if sides[0][1] == sides[1][1] and runs[0].folder.resolve() == runs[1].folder.resolve():
        raise SettingsError(reason=translate("eval.same_run", terminal_language(), run=first))
    _require_one_kind(*runs)
    found = [values_of(run, arm) for run, arm in sides]
    same = same_questions(*runs)
    one, other = (_of_questions(values, same) for values in found)
    shared = [measure for measure in one if measure in other and one[measure].keys() & other[measure].keys()]
    if not shared:
        raise SettingsError(reason=translate("eval.nothing_shared", terminal_language(), first=first, second=second))
    outcomes = {
        key: outcome_of(other[shared[0]][key] - one[shared[0]][key])
        for key in sorted(one[shared[0]].keys() & other[shared[0]].keys())
    }
    measures = tuple(compare_values(measure, one[measure], other[measure]) for measure in shared)
    tokens = _tokens(*(evidence_tokens(run, arm) for run, arm in sides))
    judged_otherwise = tuple(key for key in outcomes if not same[key])
    return RunComparison(
        first, second, measures, outcomes, tokens, differing_settings(*runs), judged_otherwise, unfinished_runs(*sides)
    )


def _require_one_kind(first: Run, second: Run) -> None:
    """Raise ``SettingsError`` where the runs are of different kinds."""
    kinds = [str(run.identity().get("command")) for run in (first, second)]
    if kinds[0] != kinds[1]:
        shown = {"first": first.folder.name, "second": second.folder.name, "kind": kinds[0], "other": kinds[1]}
        raise SettingsError(reason=translate("eval.kinds_differ", terminal_language(), **shown))


def same_questions(first: Run, second: Run) -> dict[str, bool]:
    """Return the questions of both runs by id: same id and same words; whether their known answers are the same, too.

    Another set may count its questions alike, so that an id alone does not make a question the same.
    """
    before, after = (_questions_by_id(run) for run in (first, second))
    both = [key for key in before if key in after]
    return {key: before[key] == after[key] for key in both if _asked_words(before[key]) == _asked_words(after[key])}


def _questions_by_id(run: Run) -> dict[str, Mapping[str, object]]:
    return {str(next(row[name] for name in _IDS if name in row)): row for row in run.questions_as(_ROWS)}


def _asked_words(row: Mapping[str, object]) -> list[object]:
    return [row.get(name) for name in _WORDS]


def _of_questions(values: Values, questions: Container[str]) -> Values:
    return {
        measure: {key: value for key, value in by_question.items() if key in questions}
        for measure, by_question in values.items()
    }


def unfinished_runs(*sides: tuple[Run, RunArm]) -> tuple[UnfinishedRun, ...]:
    """Return the runs that have no record yet of some of their questions."""
    found = []
    for run, arm in dict.fromkeys(sides):
        total, done = len(run.questions_as(_ROWS)), _count_records(run, arm)
        if not run.is_finished:
            found.append(UnfinishedRun(run.folder.name, min(done, total), total))
    return tuple(found)


def _count_records(run: Run, arm: RunArm) -> int:
    """Count the questions of which a run has a record, in one arm where it has several."""
    rows = run.records(_ROWS)
    key = next((name for name in _IDS if rows and name in rows[0]), "")
    return len({row.get(key) for row in rows if row.get("arm", arm) == arm})


def differing_settings(first: Run, second: Run) -> dict[str, tuple[object, object]]:
    """Return the settings in which two runs differ, with both values; none where a run keeps no settings."""
    before, after = (conditions_of(run.identity()) for run in (first, second))
    if not before or not after:
        return {}
    names = sorted(before.keys() & after.keys())  # a run without the model depends on fewer
    pairs = {name: (before[name], after[name]) for name in names}
    return {name: values for name, values in pairs.items() if values[0] != values[1]}


def _tokens(first: dict[str, float], second: dict[str, float]) -> EvidenceTokens | None:
    shared = first.keys() & second.keys()
    before, after = sum(first[key] for key in shared), sum(second[key] for key in shared)
    if not before:
        return None
    return EvidenceTokens(before / len(shared), after / len(shared), round(after / before, 4))


def compare_values(measure: str, first: Mapping[str, float], second: Mapping[str, float]) -> Comparison:
    """Compare values by question id, of the questions that are in both.

    >>> one = compare_values("right", {"a": 0.0, "b": 1.0, "c": 1.0}, {"a": 1.0, "b": 1.0, "d": 0.0})
    >>> one.n, one.wins, one.ties, one.losses, one.p_value
    (2, 1, 1, 0, 1.0)
    """
    shared = sorted(first.keys() & second.keys())
    differences = [second[key] - first[key] for key in shared]
    outcomes = [outcome_of(one) for one in differences]
    wins, losses = outcomes.count("win"), outcomes.count("loss")
    return Comparison(
        measure=measure,
        n=len(shared),
        first=rounded_mean([first[key] for key in shared]) or 0.0,
        second=rounded_mean([second[key] for key in shared]) or 0.0,
        difference=rounded_mean(differences) or 0.0,
        interval=mean_interval(differences),
        wins=wins,
        ties=len(shared) - wins - losses,
        losses=losses,
        p_value=sign_test(wins, losses),
    )


def outcome_of(difference: float) -> Outcome:
    """Return the second run's outcome by the difference, second less first; a computer's inexactness is a tie.

    >>> outcome_of(0.1 + 0.2 - 0.3), outcome_of(-0.001)
    ('tie', 'loss')
    """
    if abs(difference) < _INEXACTNESS:
        return "tie"
    return "win" if difference > 0 else "loss"


def sign_test(wins: int, losses: int) -> float:
    """Return the probability of a result as lopsided if either side wins with probability 1/2; ties do not count."""
    decided = wins + losses
    tail = sum(math.comb(decided, count) for count in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / 2**decided))


@dataclass(frozen=True, slots=True)
class Result:
    """A run's result for a question; fields that its command does not measure are empty.

    ``reply`` is the answer, ``documents`` the ranking, best first, ``probability`` that the answer is there.  ``error``
    is an error's class name.
    """

    right: bool
    refused: bool = False
    reply: str = ""
    documents: tuple[str, ...] = ()
    probability: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One question of both runs; ``outcome`` is the second's by the main measure."""

    question: GoldenQuestion
    outcome: Outcome
    first: Result
    second: Result

    @property
    def wanted(self) -> str:
        """The known answer, or the documents that hold it."""
        return wanted_words(self.question) or ", ".join(self.question.relevant)


def side_by_side(first: Run, second: Run) -> tuple[Compared, ...]:
    """Return the questions that both runs have: lost ones first, then won ones, then the others, in the run's order.

    Raises ``SettingsError`` where a run is damaged, or of a kind that keeps no records of questions.
    """
    _require_one_kind(first, second)
    one, other = (values_of(run) for run in (first, second))
    same = same_questions(first, second)
    main = MAIN_MEASURES[str(first.identity().get("command"))]
    before, after = one[main], other[main]
    results, others = results_of(first), results_of(second)
    found = [
        Compared(question, outcome_of(after[key] - before[key]), results[key], others[key])
        for question in second.questions()
        if (key := question.question_id) in same and key in before and key in after
    ]
    order = {"loss": 0, "win": 1, "tie": 2}
    return tuple(sorted(found, key=lambda one: order[one.outcome]))


def results_of(run: Run) -> Mapping[str, Result]:
    """Return the result of each question, by its id.  Raises ``SettingsError``."""
    match run.identity().get("command"):
        case "answers":
            return _answers(run)
        case "retrieval":
            return {
                one.question_id: Result(bool({*one.documents[:1]} & {*one.relevant}), documents=one.documents)
                for one in run.records(RANKINGS)
            }
        case "refusal":
            return {
                one.question_id: Result(one.refused != one.answerable, one.refused, probability=one.probability)
                for one in run.records(JUDGEMENTS)
            }
    raise SettingsError(reason=translate("eval.run_damaged", terminal_language(), path=run.folder / "run.json"))


def _answers(run: Run) -> dict[str, Result]:
    asked = {question.question_id: question for question in run.questions()}
    found: dict[str, Result] = {}
    for record in run.records(RECORDS):
        if record.arm != "own" or record.question_id not in asked:
            continue
        judged, answer = score(asked[record.question_id], record), record.answer
        found[record.question_id] = Result(
            judged.right,
            judged.refused,
            answer.text if answer is not None else "",
            record.evidence_documents,
            error=record.error,
        )
    return found
