"""What a finished run says of each question, by measure: computed anew from its folder."""

from collections.abc import Mapping, Sequence

from eval.answers.conditions import ARMS, Arm
from eval.answers.runner import RECORDS
from eval.answers.scores import Score, scores_of
from eval.core.runs import Run
from eval.refusal.benchmark import JUDGEMENTS
from eval.retrieval.rankings import METRICS, RANKINGS
from rag.errors import SettingsError
from rag.terminal import terminal_language
from rag.translate import translate

Values = Mapping[str, Mapping[str, float]]
"""By measure, then by question; a question is left out where the measure makes no sense."""

MAIN_MEASURES = {"answers": "right", "retrieval": "recall_at_1", "refusal": "right"}


def values_of(run: Run, arm: Arm = "own") -> Values:
    """Return the values of a run of ``answers`` (of one arm), ``retrieval`` or ``refusal``.

    Raises ``SettingsError`` where it is none of these, is damaged, or does not have the arm.
    """
    match run.identity().get("command"):
        case "answers":
            scores = scores_of(run.questions(), run.records(RECORDS), arm)
            if not scores:
                raise SettingsError(
                    reason=translate("eval.arm_missing", terminal_language(), run=run.folder.name, arm=arm)
                )
            return {name: _present(scores, name) for name in ("right", "token_f1", "rouge_l", "supported_share")}
        case "retrieval":
            rankings = run.records(RANKINGS)
            return {
                name: {one.question_id: metric(one.documents, one.relevant, k) for one in rankings}
                for name, (metric, k) in METRICS.items()
            }
        case "refusal":
            judged = run.records(JUDGEMENTS)
            return {"right": {one.question_id: float(one.refused != one.answerable) for one in judged}}
    raise SettingsError(reason=translate("eval.run_damaged", terminal_language(), path=run.folder / "run.json"))


def evidence_tokens(run: Run, arm: Arm) -> dict[str, float]:
    """Return how much evidence the model was sent, by question, where it was asked; none of a run without answers."""
    if run.identity().get("command") != "answers":
        return {}
    records = [one for one in run.records(RECORDS) if one.arm == arm and one.tokens.prompt]
    return {one.question_id: float(one.tokens.evidence) for one in records}


def arm_of(name: str) -> tuple[str, Arm]:
    """Split ``RUN:ARM``; the arm is the product's own where none is named.

    >>> arm_of("monday:ceiling"), arm_of("monday")
    (('monday', 'ceiling'), ('monday', 'own'))
    """
    run, _, given = name.rpartition(":")
    for arm in ARMS:
        if run and given == arm:
            return run, arm
    return name, "own"


def _present(scores: Sequence[Score], name: str) -> dict[str, float]:
    found = {score.question_id: getattr(score, name) for score in scores}
    return {key: float(value) for key, value in found.items() if value is not None}
