"""What two runs made of one question, for a page that shows both beside each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from eval.answers.metrics import wanted_words
from eval.answers.runner import RECORDS
from eval.answers.scores import score
from eval.compare.pairs import MAIN_MEASURES, Outcome, outcome_of, values_of
from eval.core.runs import Run
from eval.refusal.benchmark import JUDGEMENTS
from eval.retrieval.rankings import RANKINGS
from ingest.golden import GoldenQuestion
from rag.errors import SettingsError
from rag.terminal import terminal_language
from rag.translate import translate


@dataclass(frozen=True, slots=True)
class Result:
    """What a run made of a question; what its command does not say is empty.

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
    kinds = [str(run.identity().get("command")) for run in (first, second)]
    one, other = (values_of(run) for run in (first, second))
    if kinds[0] != kinds[1]:
        shown = {"first": first.folder.name, "second": second.folder.name}
        raise SettingsError(reason=translate("eval.nothing_shared", terminal_language(), **shown))
    main = MAIN_MEASURES[kinds[0]]
    before, after = one[main], other[main]
    results, others = results_of(first), results_of(second)
    found = [
        Compared(question, outcome_of(after[key] - before[key]), results[key], others[key])
        for question in second.questions()
        if (key := question.question_id) in before and key in after
    ]
    order = {"loss": 0, "win": 1, "tie": 2}
    return tuple(sorted(found, key=lambda compared: order[compared.outcome]))


def results_of(run: Run) -> Mapping[str, Result]:
    """Return what became of each question, by its id.  Raises ``SettingsError``."""
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
