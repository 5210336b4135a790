"""What is kept of a case: what was shown and sent for it, what the model wrote, and what was answered."""

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from rag.schema import Answer

Arm = Literal["own", "ceiling", "langchain"]
"""The product; the model alone with the very passages that the product sent it; LangChain's tutorial."""

ARMS: tuple[Arm, ...] = ("own", "ceiling", "langchain")


@dataclass(frozen=True, slots=True)
class Passages:
    """What of the documents reached one place: the paths of the documents, their text, and the embedder's tokens."""

    documents: tuple[str, ...] = ()
    text: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Seconds:
    """Since the question was asked; None where it never came."""

    evidence: float | None = None
    first_word: float | None = None
    whole: float | None = None


@dataclass(frozen=True, slots=True)
class GuardTrace:
    """What the guards did.

    ``stopped_by`` is the guard because of which the answer is not the model's ``draft``.  Where one decided before the
    model wrote, the draft was asked for without it; it is empty where that was not wished, or not possible.
    ``without_thought`` is the draft without a thought, where the model thought; ``withheld`` are the sentences shown
    that were taken for orders to the model, and ``cuts_question`` tells that the question lost some.
    """

    stopped_by: str = ""
    draft: str = ""
    without_thought: str = ""
    withheld: tuple[str, ...] = ()
    cuts_question: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One case in one arm.

    ``shown`` is what the agent sees, ``sent`` what the model reads, ``best`` the best match box, and ``quoted`` what a
    quotation could take from all passages.  ``answerable`` False: the search alone decided to refuse.  ``prompt`` are
    the passages and the question as the model reads them.  ``answer`` is None where no model was asked, or an error
    came, whose class is ``error``.
    """

    case_id: str
    arm: Arm
    shown: Passages = Passages()
    sent: Passages = Passages()
    best: Passages = Passages()
    quoted: Passages = Passages()
    answerable: bool = True
    probability: float = 0.0
    prompt: str = ""
    answer: Answer | None = None
    guards: GuardTrace = GuardTrace()
    error: str = ""
    seconds: Seconds = Seconds()


RECORDS = TypeAdapter(Record)
