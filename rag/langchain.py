"""Faces for other people's LangChain programs: the evidence as a retriever, the whole pipeline as a runnable.

from rag import build_pipeline
from rag.langchain import AnswerRunnable, EvidenceRetriever

pipeline = build_pipeline()
chain = AnswerRunnable(pipeline) | StrOutputParser()
documents = EvidenceRetriever(pipeline=pipeline).invoke("How long can I return an order?")

Document loaders go the other way, into the knowledge base: ``ingest.ingest_documents``.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any, Protocol, Unpack

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import ConfigDict

from rag.evidence.without_orders import passage_without_orders
from rag.pipeline import AskKeywords, AskOptions
from rag.schema import Answer, AnswerDelta, Completed, Event, Evidence, Retrieved, ThinkingDelta


class Streams(Protocol):
    """The part of ``rag.pipeline.Pipeline`` that both classes need."""

    def stream(self, question: str, options: AskOptions) -> Generator[Event, None, None]:
        """Yield the events of one answer."""


class EvidenceRetriever(BaseRetriever):
    """The passages that the pipeline would send to its model, best first; no model is asked.

    ``page_content`` is the passage, with blanks for orders to a model; ``metadata`` has ``document_id``, ``source``
    (the document's path), ``title``, ``start``, ``end``, ``language``, ``updated_on``, ``expired_on``, ``starts_on``,
    ``audience`` and ``number``, all of plain types.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    pipeline: Any
    """A ``Streams``; pydantic cannot check a protocol."""

    options: AskOptions = AskOptions()
    """Who asks and what may be found: ``AskOptions(audience="public")`` before customers."""

    top_k: int | None = None
    """``AskOptions.top_k``, in [1, 24]; replaces that of the options."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[LangChainDocument]:
        del run_manager
        top_k = self.options.top_k if self.top_k is None else self.top_k
        options = replace(self.options, top_k=top_k, fresh=True)  # a stored answer has the passages of its own question
        with closing(self.pipeline.stream(query, options)) as events:
            first = next(event for event in events if isinstance(event, Retrieved))
        return [_document(passage_without_orders(passage)) for passage in first.evidence]


class AnswerRunnable(Runnable[str, AIMessage]):
    """A question in, a message out: its text is the answer, ``response_metadata["answer"]`` all of ``Answer``.

    The thought is in ``additional_kwargs["reasoning_content"]``, where LangChain's chat models put it.  Streamed, the
    pieces add up to the text as it was written, and the last one carries the metadata.

    ``keywords`` are fields of ``AskOptions`` and replace those of ``options``: ``audience="public"`` before customers.
    """

    def __init__(self, pipeline: Streams, options: AskOptions | None = None, **keywords: Unpack[AskKeywords]) -> None:
        self._pipeline = pipeline
        self._options = replace(options or AskOptions(), **keywords)

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:  # noqa: ANN401
        """Answer one question."""
        del config, kwargs
        for event in self._events(input):
            if isinstance(event, Completed):
                return AIMessage(event.answer.text, **_metadata(event.answer))
        raise AssertionError("a stream ends with Completed or an error")

    def stream(
        self,
        input: str,
        config: RunnableConfig | None = None,
        **kwargs: Any | None,  # noqa: ANN401
    ) -> Iterator[AIMessageChunk]:
        """Yield the answer as it is written."""
        del config, kwargs
        is_streamed = False
        for event in self._events(input):
            match event:
                case ThinkingDelta(text=text):
                    yield AIMessageChunk(content="", additional_kwargs={"reasoning_content": text})
                case AnswerDelta(text=text):
                    is_streamed = True
                    yield AIMessageChunk(content=text)
                case Completed(answer=answer):
                    metadata = {"answer": answer.to_json()}
                    yield AIMessageChunk(content="" if is_streamed else answer.text, response_metadata=metadata)

    def _events(self, question: str) -> Generator[Event, None, None]:
        if not isinstance(question, str):
            raise TypeError(f"the question must be a str, not a {type(question).__name__}: put itemgetter before it")
        return self._pipeline.stream(question, self._options)


def _metadata(answer: Answer) -> dict[str, Any]:
    thought = {"reasoning_content": answer.thinking} if answer.thinking else {}
    return {"additional_kwargs": thought, "response_metadata": {"answer": answer.to_json()}}


def _document(passage: Evidence) -> LangChainDocument:
    fields = asdict(passage)
    text = fields.pop("text")
    for name in ("updated_on", "expired_on", "starts_on"):
        fields[name] = fields[name].isoformat() if fields[name] is not None else None
    metadata = {**fields, "heading_path": list(passage.heading_path), "source": passage.document_path}
    return LangChainDocument(page_content=text, metadata={**metadata, "link": passage.source})
