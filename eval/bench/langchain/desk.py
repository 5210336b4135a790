"""LangChain's tutorial on the cases of ``python -m eval desk``: four passages of 1,000 characters, the hub's prompt."""

import re
import time
from collections.abc import Callable

from eval.bench.langchain.command import chat_model, require_extra, stock_pipelines
from eval.desk.asking import plain_answer
from eval.desk.cases import DeskCase
from eval.desk.records import Passages, Record, Seconds
from rag.grounding.answered_parts import says_not_found
from rag.pipeline import PipelineParts
from rag.schema import Answer

Tutorial = Callable[[DeskCase], Record]

_DOES_NOT_KNOW = re.compile(
    r"\W*(?:i['’]?m sorry\W+|i am sorry\W+|sorry\W+)?(?:but )?i (?:do not|don['’]t) (?:actually )?know\b"
    r"|\W*(?:(?:对不起|很?抱歉)\W*)?我?(?:不知道|不清楚|无法回答)",
    re.IGNORECASE,
)


def open_tutorial(parts: PipelineParts, *, with_model: bool, think: bool | None) -> Tutorial:
    """Return what asks the tutorial, over the documents of the same knowledge base.

    Cutting and embedding them takes minutes the first time.  All turns of a conversation are asked as one text, for the
    tutorial has no memory; it has no refusal either: a reply that begins by saying that it does not know counts as one.
    Raises ``SettingsError`` where the extra is not installed.
    """
    require_extra()
    stock = stock_pipelines(parts, parts.settings.data_dir / "runs" / "knowledge" / "langchain")
    answer = stock.answering("faiss", chat_model(parts, think)) if with_model else None

    def ask(case: DeskCase) -> Record:
        question, began_at = "\n".join(case.turns), time.perf_counter()
        reply: Answer | None = None
        if answer is None:
            documents, sent = stock.context("faiss", question)
        else:
            given = answer(question)
            documents, sent = given.documents, given.sent
            reply = plain_answer(given.text, case, parts, refused=does_not_know(given.text))
        passages = Passages(documents, sent, parts.count_tokens(sent))
        return Record(
            case.case_id,
            "langchain",
            shown=passages,
            sent=passages,
            answer=reply,
            seconds=Seconds(whole=round(time.perf_counter() - began_at, 4)),
        )

    return ask


def does_not_know(text: str) -> bool:
    """Tell whether a reply begins by saying that it does not know.

    >>> does_not_know("I don't know."), does_not_know("抱歉，我不知道。"), does_not_know("In 30 days.")
    (True, True, False)
    """
    return _DOES_NOT_KNOW.match(text) is not None or says_not_found(text)
