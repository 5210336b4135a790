"""Asks cases as the desk does, and keeps what was shown, sent and answered."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eval.desk.cases import DeskCase
from eval.desk.records import Passages, Record, Seconds
from rag.errors import ModelSaidNothing, ModelStoppedHalfway, ModelTimedOut, OllamaRefused, QuestionError
from rag.evidence.quotation import quoted_lines
from rag.pipeline import AskOptions, Pipeline
from rag.schema import AnswerDelta, Completed, Evidence, Retrieved
from rag.streams import closing_if_generator

# These end one case; anything else (no knowledge base, no model server) ends the run, which can be resumed.
_ONE_CASE_ONLY = (QuestionError, ModelSaidNothing, ModelStoppedHalfway, ModelTimedOut, OllamaRefused)


@dataclass(frozen=True, slots=True)
class Desk:
    """The product.  Without ``with_model`` a case ends where the model would be asked."""

    pipeline: Pipeline
    with_model: bool = True
    think: bool | None = None

    def ask(self, case: DeskCase) -> Record:
        """Ask the last turn behind the customer's earlier ones.

        An error of this case alone is recorded; an error of the surroundings is raised.
        """
        options = AskOptions(earlier=case.turns[:-1], think=self.think, fresh=True)
        record, clock = Record(case.case_id, "own"), _Clock()
        try:
            with closing_if_generator(self.pipeline.stream(case.question, options)) as events:
                for event in events:
                    match event:
                        case Retrieved():
                            clock.mark("evidence")
                            record = _with_evidence(record, event, self.pipeline.parts.count_tokens)
                            if not self.with_model and event.answerable:
                                break
                        case AnswerDelta():
                            clock.mark("first_word")
                        case Completed():
                            record = replace(record, answer=event.answer)
        except _ONE_CASE_ONLY as error:
            record = replace(record, error=type(error).__name__)
        clock.mark("whole")
        return replace(record, seconds=Seconds(**clock.seconds))


class _Clock:
    def __init__(self) -> None:
        self._started_at = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def mark(self, name: str) -> None:
        self.seconds.setdefault(name, round(time.perf_counter() - self._started_at, 4))


def _with_evidence(record: Record, event: Retrieved, count_tokens: Callable[[str], int]) -> Record:
    evidence = event.evidence
    best = best_match(evidence) if event.answerable else None
    sent = [one for one in evidence if one.sent]
    quoted = [one for one in evidence if one.quoted]
    return replace(
        record,
        shown=_passages(evidence, [one.text for one in evidence], count_tokens),
        sent=_passages(sent, [_sent(one) for one in sent], count_tokens),
        best=Passages() if best is None else _passages([best], [_quoted(best)], count_tokens),
        quoted=_passages(quoted, [_quoted(one) for one in quoted], count_tokens),
        answerable=event.answerable,
        probability=event.answerable_probability,
    )


def best_match(evidence: Sequence[Evidence]) -> Evidence | None:
    """Return the passage whose sentences stand in the best match box: the first that may be passed on as it is."""
    return next((one for one in evidence if one.quoted and one.audience == "public" and one.is_in_force), None)


def _quoted(passage: Evidence) -> str:
    return "\n".join(line.text for line in quoted_lines(passage))


def _sent(passage: Evidence) -> str:
    return "\n".join(passage.words(span) for span in passage.sent)


def _passages(evidence: Sequence[Evidence], texts: Sequence[str], count_tokens: Callable[[str], int]) -> Passages:
    text = "\n\n".join(texts)
    documents = tuple(dict.fromkeys(one.document_path for one in evidence))
    return Passages(documents, text, sum(map(count_tokens, texts)))
