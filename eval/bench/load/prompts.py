"""What the model is sent: the product's own requests, taken down without asking it, and plain ones beside them."""

from collections.abc import Generator as GeneratorObject
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingest.golden import GoldenQuestion
from rag.errors import AnswerCancelled, QuestionError
from rag.pipeline import Pipeline, PipelineParts
from rag.protocols import GenerationPart, Message
from rag.schema import Language
from rag.text.language import question_language
from rag.tracing import Trace

PLAIN_CHUNKS = 5
_PLAIN_SYSTEM: Mapping[Language, str] = {
    "en": "Answer the customer's question from the passages. Answer in English.",
    "zh": "请根据资料用中文回答顾客的问题。",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request to the model."""

    question: GoldenQuestion
    messages: tuple[Message, ...]
    think: bool
    max_tokens: int


class _TakesDown:
    """Stands where the generator is, and gives nothing back."""

    def __init__(self) -> None:
        self.taken: tuple[tuple[Message, ...], bool, int] | None = None

    @property
    def model(self) -> str:
        return ""

    @property
    def stand_in(self) -> bool:
        return True

    @property
    def continues_replies(self) -> bool:
        return True

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        self.taken = (tuple(messages), think, max_tokens)
        raise AnswerCancelled


def own_prompts(questions: Sequence[GoldenQuestion], parts: PipelineParts, *, think: bool | None) -> dict[str, Prompt]:
    """Return by question id what the product would send for the answer.

    Questions that it refuses without a model, or cannot ask, have none.  No model is asked.

    Raises a ``KnowledgeError``.
    """
    prompts: dict[str, Prompt] = {}
    for question in questions:
        taker = _TakesDown()
        gateway = replace(parts.gateway.with_generator(taker), ensure_server=lambda: None)
        quiet = replace(parts, gateway=gateway, reading_fit=lambda model: None)
        try:
            for _ in Pipeline(quiet).stream(question.question, think=think):
                pass
        except QuestionError:
            continue  # too long to be asked at all
        except AnswerCancelled:
            assert taker.taken is not None  # nobody else cancels
            prompts[question.question_id] = Prompt(question, *taker.taken)
    return prompts


def plain_prompts(prompts: Mapping[str, Prompt], parts: PipelineParts) -> dict[str, Prompt]:
    """Return what a plain program sends for the same questions: five whole chunks, and no examples."""
    return {question_id: _plain(prompt, parts) for question_id, prompt in prompts.items()}


def _plain(prompt: Prompt, parts: PipelineParts) -> Prompt:
    asked = prompt.question.question
    language = question_language(asked)
    found = parts.retriever.retrieve(asked, language, Trace())
    passages = "\n\n".join(one.chunk.embedded_text for one in found.chunks[:PLAIN_CHUNKS])
    messages = (Message("system", _PLAIN_SYSTEM[language]), Message("user", f"{passages}\n\n{asked}"))
    return replace(prompt, messages=messages)
