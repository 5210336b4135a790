"""Asks the model whether the passages hold the answer, before asking for the answer.

No retrieval score separates a question with an answer from a near miss; a model that reads question and passages can.
It is asked for one word, after the same prompt as the answer's, so that the prefix cache makes the answer's prompt
nearly free.  What counts is not the word but the probability of "yes" against "no".  How much that is worth depends on
the model, so each has its own fit, which ``python -m eval calibrate refusal`` writes beside the knowledge base.  No fit
is shipped: on held-out customers' texts one for the 1.5B stand-in refused .26 of 18 without an answer and .12 of 33
with one.

A model without a fit is asked only if the search is doubtful, where most texts of other trades are, and only if it is
known how it answers then.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rag.protocols import GenerationFinished, Generator, Message
from rag.schema import Language
from rag.storage.calibration import logistic, logit_of, read_calibration

_CANDIDATES = 15
_LEAST_MASS = 0.2
"""If "yes" and "no" together are less probable than this, the model did not understand the question."""

# Worded alike in both languages, and with the same two words to choose from: 是 and 否 put the level elsewhere.
_QUESTION: dict[Language, str] = {
    "en": "Is the answer to this question written in the documents? yes or no",
    "zh": "这个问题的答案在资料里吗？回答 yes 或 no。",
}
_QUESTION_ABOUT_PART: dict[Language, str] = {
    "en": "Is the answer to “{part}” written in the documents? yes or no",
    "zh": "“{part}”的答案在资料里吗？回答 yes 或 no。",
}
_QUESTION_IF_DOUBTFUL: dict[Language, str] = {
    "en": _QUESTION["en"],
    "zh": "顾客问的是资料所讲的产品或服务吗？回答 yes 或 no。",
}
"""If the search is doubtful, this tells texts with an answer from those of other trades: AUROC .95 of 42 English ones,
.77 of 84 Chinese ones, for which the other wordings have .65 to .73.  The search's probability has .80 and .72."""
_LEAST_IF_DOUBTFUL: Mapping[str, Mapping[Language, float]] = {"stand-in:1.5b": {"en": 0.43, "zh": 0.33}}
"""Of 82 such texts without an answer 35 are below, of 60 with one 1; how a model answers is known for this one only."""
_YES, _NO = frozenset({"yes", "是", "有", "在"}), frozenset({"no", "否", "没有", "没", "不", "不在"})


@dataclass(frozen=True, slots=True)
class AnswerabilityFit:
    """A logistic regression for one model: the probability that the passages hold the answer.

    Its features are the logit of "yes", the logit of the retrieval probability, and whether the question is Chinese.
    Below ``refuse_below`` the answer is a refusal.

    >>> fit = AnswerabilityFit(-1.0, 2.0, 0.0, 0.0, refuse_below=0.3)
    >>> round(fit.probability(yes=0.5, retrieval=0.9, language="en"), 3)
    0.269
    """

    intercept: float
    yes: float
    retrieval: float
    chinese: float
    refuse_below: float

    def probability(self, *, yes: float, retrieval: float, language: Language) -> float:
        """Return the probability in [0, 1]; so are ``yes`` and ``retrieval``."""
        by_yes, by_retrieval, by_chinese = answerability_features(yes=yes, retrieval=retrieval, language=language)
        logit = self.intercept + self.yes * by_yes + self.retrieval * by_retrieval + self.chinese * by_chinese
        return logistic(logit)

    @classmethod
    def from_json(cls, value: Mapping[str, float]) -> Self:
        """Build it from an entry under ``readers`` in ``calibration.json``."""
        return cls(**{name: float(value[name]) for name in cls.__slots__})


def answerability_features(*, yes: float, retrieval: float, language: Language) -> tuple[float, float, float]:
    """Return the features of a fit: the logits of both probabilities, and 1 for a Chinese question."""
    return logit_of(yes), logit_of(retrieval), float(language == "zh")


def answerability_fit_of(folder: Path, model: str) -> AnswerabilityFit | None:
    """Return a model's fit for the knowledge base in a folder: None if it has none."""
    own = read_calibration(folder).get("readers", {}).get(model)
    return AnswerabilityFit.from_json(own) if isinstance(own, dict) else None


@dataclass(frozen=True, slots=True)
class AnswerabilitySample:
    """The probabilities in [0, 1] known before an answer is written; ``yes`` is that of ``AnswerabilityReply``."""

    language: Language
    retrieval: float
    yes: float | None


@dataclass(frozen=True, slots=True)
class AnswerabilityReply:
    """The model's reply: the probability of "yes" against "no", None if it said neither."""

    yes: float | None
    finished: GenerationFinished


def judge_answerable(
    generator: Generator, messages: Sequence[Message], language: Language, part: str = ""
) -> AnswerabilityReply:
    """Ask about ``messages``, whose last one ends with the question, or about a ``part`` of that.

    Raises what the generator raises.
    """
    wording = _QUESTION_ABOUT_PART[language].format(part=part) if part else _QUESTION[language]
    return _ask_yes_or_no(generator, messages, wording)


def judge_if_doubtful(generator: Generator, messages: Sequence[Message], language: Language) -> AnswerabilityReply:
    """Ask about ``messages`` that a doubtful search found (``Retrieval.is_doubtful``).

    Raises what the generator raises.
    """
    return _ask_yes_or_no(generator, messages, _QUESTION_IF_DOUBTFUL[language])


def least_if_doubtful(model: str, language: Language) -> float | None:
    """Return the probability of "yes" by ``judge_if_doubtful`` below which the answer is a refusal.

    None for a model for which it was not measured, so that asking is of no use.
    """
    return _LEAST_IF_DOUBTFUL.get(model, {}).get(language)


def _ask_yes_or_no(generator: Generator, messages: Sequence[Message], wording: str) -> AnswerabilityReply:
    *before, last = messages
    prompt = [*before, replace(last, content=f"{last.content}\n\n{wording}")]
    finished = GenerationFinished()
    with closing(generator.generate(prompt, think=False, max_tokens=1, candidates=_CANDIDATES)) as items:
        for item in items:
            if isinstance(item, GenerationFinished):
                finished = item
    return AnswerabilityReply(yes_probability(finished.first_token), finished)


def yes_probability(first_token: Sequence[tuple[str, float]]) -> float | None:
    """Return the probability of "yes" against "no" among the candidates for the first token; None if neither is there.

    >>> yes_probability([("Yes", 0.5), (" no", 0.25), ("The", 0.1), (" yes", 0.25)])
    0.75
    """
    yes = sum(probability for token, probability in first_token if token.strip().lower() in _YES)
    no = sum(probability for token, probability in first_token if token.strip().lower() in _NO)
    return yes / (yes + no) if yes + no >= _LEAST_MASS else None
