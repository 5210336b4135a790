"""Writes turns as the desk does, for the tests of the report."""

from dataclasses import replace
from datetime import date

from rag.schema import Answer, Citation, Conflict, Evidence
from rag.settings import DatabasePlace
from rag.storage.turn_store import FeedbackReason, OutcomeOrigin, Turn, TurnState, TurnStore
from rag.text.language import question_language


class AskedTurns:
    """The turns of one database; each method asks a question and says what became of it."""

    def __init__(self, place: DatabasePlace, knowledge_base: str = "default") -> None:
        self.store = TurnStore(place)
        self._base = knowledge_base

    def refused(self, question: str) -> Turn:
        return self._ended(question, "refused", refused=True)

    def failed(self, question: str, error: str) -> Turn:
        turn = replace(self._asked(question), state="failed", error_class=error, error_en="no", error_zh="不")
        self.store.update(turn)
        return turn

    def answered(self, question: str) -> Turn:
        return self._ended(question, "done")

    def disliked(self, question: str, reason: FeedbackReason | None = None) -> Turn:
        turn = self.answered(question)
        self.store.feedback.judge(turn.turn_id, "lin", useful=False, reason=reason)
        return turn

    def handed_over(self, question: str) -> Turn:
        turn = self.answered(question)
        self.store.feedback.record(turn.turn_id, "handed_over", 0.0, OutcomeOrigin("model", "topic", ""))
        return turn

    def left_open(self, question: str, *parts: str) -> Turn:
        turn = self._asked(question)
        turn = replace(turn, state="done", answer=replace(_answer(turn), left_open=parts))
        self.store.update(turn)
        return turn

    def resting_on(self, question: str, *passages: Evidence, conflicts: tuple[Conflict, ...] = ()) -> Turn:
        """Ask a question whose answer cites the first passage."""
        first = passages[0]
        citation = Citation(0, 1, first.document_id, first.document_path, first.text, first.start, first.end)
        turn = self._asked(question)
        answer = replace(_answer(turn), citations=(citation,), conflicts=conflicts)
        turn = replace(turn, state="done", answer=answer, evidence=passages)
        self.store.update(turn)
        return turn

    def _asked(self, question: str) -> Turn:
        language = question_language(question)
        return self.store.add(question, session="lin", language=language, knowledge_base=self._base)

    def _ended(self, question: str, state: TurnState, *, refused: bool = False) -> Turn:
        turn = self._asked(question)
        turn = replace(turn, state=state, answer=replace(_answer(turn), refused=refused))
        self.store.update(turn)
        return turn


def passage(number: int, document_id: str, text: str, expired_on: date | None = None) -> Evidence:
    """Return a document's beginning as evidence."""
    length = len(text)
    return Evidence(
        number,
        document_id,
        f"/x/{document_id}",
        document_id,
        (),
        text,
        0,
        length,
        0,
        length,
        "en",
        expired_on=expired_on,
    )


def _answer(turn: Turn) -> Answer:
    return Answer(
        text="So it is.",
        language=turn.language,
        refused=False,
        thinking="",
        citations=(),
        unsupported=(),
        spans=(),
        model="scripted",
        stand_in=True,
        generation=1,
    )
