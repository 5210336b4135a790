"""The result of tuning: the figures of each model on the same questions, and whether the tuned one is kept.

Pure functions.  A tuned model is kept only if it measurably wins: the interval of the paired differences in right
answers lies above zero.  Five points on seventy questions may be chance, and then nobody should change the model for
it.  Nor may it get worse in what customers notice first: answerable questions refused, unanswerable ones answered, and
replies in the wrong language.  One case more is none; beyond it so much as ``MARGIN`` is.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from eval.core.runs import Run
from eval.core.statistics import Interval, mean_interval, share_interval
from eval.desk.figures import Outcome
from rag.errors import SettingsError
from rag.schema import Language
from rag.settings import Settings
from rag.text.language import text_language
from rag.text.sentences import split_sentences
from rag.translate import translate

ArmName = Literal["base", "requantized", "adapter", "merged"]

COMMAND = "train"
"""What a training's run says it is."""

MARGIN = 0.02
"""How much worse a share may get; one case more or less never counts."""

Reason = Literal["right", "refused_answerable", "refused_unanswerable", "language"]


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``n``."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; None of nothing."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        """Its 95 % interval."""
        return share_interval(self.hits, self.n)

    def exceeds(self, other: "Share") -> bool:
        """Tell whether it is more than another one by more than a case and ``MARGIN``; False where one is unknown."""
        if not self.n or not other.n:
            return False
        rise = self.hits / self.n - other.hits / other.n
        return rise > MARGIN and rise > 1 / self.n + 1e-9


@dataclass(frozen=True, slots=True)
class Arm:
    """One model's figures.

    ``right`` counts answerable questions, ``refused_answerable`` those that were refused all the same, and
    ``refused_unanswerable`` what belongs refused.  ``unsupported`` are sentences of answers that nothing in the
    passages supports, ``language`` answers in the question's language.  ``tokens`` are the model's, the mean of what it
    wrote; None where it wrote nothing.
    """

    name: ArmName
    model: str
    right: Share
    refused_answerable: Share
    refused_unanswerable: Share
    unsupported: Share
    language: Share
    tokens: float | None


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of a training: the models' figures, and whether the tuned one stays.

    ``difference`` is the rise in right answers of the tuned model over the base, in [-1, 1]; ``reasons`` say why it was
    not kept.  ``examples`` it was trained on, ``questions`` are those of other documents that all models were asked.
    """

    model: str
    tuned: str
    stand_in: bool
    run: str
    examples: int
    questions: int
    loss_before: float | None
    loss_after: float | None
    arms: tuple[Arm, ...]
    difference: float
    interval: Interval | None
    reasons: tuple[Reason, ...]
    others: Mapping[str, Mapping[str, str]]

    @property
    def kept(self) -> bool:
        """Whether the tuned model won and stays."""
        return not self.reasons


_FINDINGS = TypeAdapter(Findings)


def findings_of(run: Run) -> Findings:
    """Return a finished training's findings.  Raises ``SettingsError`` where it is not finished, or no training."""
    try:
        return _FINDINGS.validate_python({name: one for name, one in run.figures().items() if name != "kept"})
    except ValidationError as error:
        raise SettingsError(reason=run.folder.name) from error


def finished_tunings(settings: Settings) -> list[Findings]:
    """Return the findings of a data folder's trainings, the newest first, without damaged ones."""
    found: list[tuple[float, Findings]] = []
    for file in (settings.data_dir / "runs").glob("*/figures.json"):
        run = Run(file.parent)
        with contextlib.suppress(SettingsError):
            if run.identity().get("command") == COMMAND:
                found.append((file.stat().st_mtime, findings_of(run)))
    return [one for _, one in sorted(found, key=lambda pair: pair[0], reverse=True)]


def as_json(findings: Findings) -> dict[str, object]:
    """Return the figures for programs."""
    return asdict(findings) | {"kept": findings.kept}


def arm_of(name: ArmName, model: str, outcomes: Sequence[Outcome], count_tokens: Callable[[str], int]) -> Arm:
    """Return a model's figures."""
    answerable = [one for one in outcomes if one.case.answerable is True]
    unanswerable = [one for one in outcomes if one.case.answerable is False and not one.case.has_facts]
    answers = [(one.case.language, one.record.answer) for one in outcomes if one.record.answer is not None]
    given = [(language, answer) for language, answer in answers if not answer.refused]
    drafts = [one.record.guards.draft for one in outcomes if one.record.guards.draft]
    return Arm(
        name=name,
        model=model,
        right=Share(sum(bool(one.right) for one in answerable), len(answerable)),
        refused_answerable=Share(sum(one.refused for one in answerable), len(answerable)),
        refused_unanswerable=Share(sum(one.refused for one in unanswerable), len(unanswerable)),
        unsupported=Share(
            sum(len(answer.unsupported) for _, answer in given),
            sum(len(split_sentences(answer.text)) for _, answer in given),
        ),
        language=Share(sum(text_language(answer.text) == language for language, answer in given), len(given)),
        tokens=round(sum(map(count_tokens, drafts)) / len(drafts), 1) if drafts else None,
    )


def rise_in_right(base: Sequence[Outcome], tuned: Sequence[Outcome], seed: int) -> tuple[float, Interval | None]:
    """Return the mean of the paired differences in right answers to answerable questions, and its 95 % interval."""
    before = {one.case.case_id: bool(one.right) for one in base if one.case.answerable is True}
    pairs = [(before[one.case.case_id], bool(one.right)) for one in tuned if one.case.case_id in before]
    rises = [float(now) - float(then) for then, now in pairs]
    return (round(sum(rises) / len(rises), 4) if rises else 0.0), mean_interval(rises, seed)


def reasons_against(base: Arm, tuned: Arm, interval: Interval | None) -> tuple[Reason, ...]:
    """Return the reasons against a tuned model; none if it wins."""
    wrong_language = [Share(one.language.n - one.language.hits, one.language.n) for one in (base, tuned)]
    let_through = [
        Share(one.refused_unanswerable.n - one.refused_unanswerable.hits, one.refused_unanswerable.n)
        for one in (base, tuned)
    ]
    against: dict[Reason, bool] = {
        "right": interval is None or interval[0] <= 0,
        "refused_answerable": tuned.refused_answerable.exceeds(base.refused_answerable),
        "refused_unanswerable": let_through[1].exceeds(let_through[0]),
        "language": wrong_language[1].exceeds(wrong_language[0]),
    }
    return tuple(reason for reason, holds in against.items() if holds)


HEADS = (
    "arm", "right", "interval", "refused_answerable", "refused_unanswerable", "unsupported", "language", "tokens",
)  # fmt: skip
"""The keys of the columns' titles, in the order of ``cells``."""


def cells(arm: Arm, language: Language) -> tuple[str, ...]:
    """Return a model's figures in the order of the heads."""
    low, high = arm.right.interval or (0.0, 1.0)
    return (
        translate(f"eval_train.arm_{arm.name}", language),
        _share_words(arm.right),
        f"{low:.0%} – {high:.0%}",
        _share_words(arm.refused_answerable),
        _share_words(arm.refused_unanswerable),
        _share_words(arm.unsupported),
        _share_words(arm.language),
        "-" if arm.tokens is None else f"{arm.tokens:.0f}",
    )


def remarks(findings: Findings, language: Language) -> list[str]:
    """Return the verdict and the remarks on the figures."""
    low, high = findings.interval or (0.0, 0.0)
    points = {"points": findings.difference * 100, "low": low * 100, "high": high * 100}
    found = [translate("eval_train.difference", language, n=findings.arms[0].right.n, **points)]
    if findings.kept:
        found.append(translate("eval_train.kept", language, name=findings.tuned))
    else:
        comma = translate("ui.list_comma", language)
        why = comma.join(translate(f"eval_train.because_{reason}", language) for reason in findings.reasons)
        found.append(translate("eval_train.removed", language, name=findings.tuned, why=why))
    for what, values in findings.others.items():
        said = "; ".join(f"{translate(f'eval_train.arm_{arm}', language)} {value}" for arm, value in values.items())
        found.append(translate(f"eval_train.{what}", language, said=said))
    if findings.stand_in:
        found.append(translate("eval_train.stand_in", language, name=findings.model))
    return found


def _share_words(share: Share) -> str:
    return f"{share.hits}/{share.n} ({share.value:.0%})" if share.value is not None else "-"
