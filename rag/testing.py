"""Deterministic fakes, shipped so that other programs can test against this one without a model.

They are named as fakes wherever they show: the generator's model is ``scripted`` and always a stand-in.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as GeneratorObject
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rag.protocols import (
    FloatMatrix,
    GeneratedText,
    GeneratedThinking,
    GenerationFinished,
    GenerationPart,
    Message,
    PassageTokens,
    PassageVectors,
    QueryTokens,
    QueryVectors,
)
from rag.schema import Chunk, Document
from rag.text.characters import IDEOGRAPHS

if TYPE_CHECKING:
    from rag.pipeline import Pipeline, PipelineParts

_WORD_OR_IDEOGRAPH = re.compile(rf"[A-Za-z0-9]+|[{IDEOGRAPHS}]")


class HashEmbedder:
    """A bag of hashed words and ideographs: texts that share words are near.  No model, no network.

    A token is a word; the same word has the same vector everywhere, its signs drawn by its hash.

    >>> embedder = HashEmbedder()
    >>> near, far = embedder.embed_passages(["refund within 7 days", "robot vacuum brush"]).vectors
    >>> query = embedder.embed_queries(["how many days for a refund"]).vectors[0]
    >>> bool(query @ near > query @ far)
    True
    """

    def __init__(self, dimension: int = 64) -> None:
        if dimension < 8:
            raise ValueError(f"dimension must be at least 8, not {dimension}")
        self._dimension = dimension

    @property
    def model_id(self) -> str:
        """Name of the fake vector space."""
        return f"hash-{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        """Return unit rows, and a token a word."""
        tokens = [self._tokens(text) for text in texts]
        return QueryVectors(
            self._bags(tokens), tuple(QueryTokens(*self._signed_vectors(numbers)) for numbers in tokens)
        )

    def embed_passages(self, texts: Sequence[str]) -> PassageVectors:
        """Return unit rows, and a token a word."""
        tokens = [self._tokens(text) for text in texts]
        signed = [self._signed_vectors(numbers) for numbers in tokens]
        return PassageVectors(
            self._bags(tokens), tuple(PassageTokens(numbers, np.packbits(rows > 0, axis=1)) for numbers, rows in signed)
        )

    def token_spans(self, passage: str) -> list[tuple[int, int]]:
        """Return where the words and ideographs stand."""
        return [match.span() for match in _WORD_OR_IDEOGRAPH.finditer(passage)]

    def count_tokens(self, text: str) -> int:
        """Count words and ideographs."""
        return len(_WORD_OR_IDEOGRAPH.findall(text))

    def is_word(self, word: str) -> bool:
        """Know no word."""
        del word
        return False

    def _tokens(self, text: str) -> NDArray[np.int32]:
        """Return a number in [0, 2**31) for each word."""
        words = [word.lower().encode() for word in _WORD_OR_IDEOGRAPH.findall(text)]
        digests = [hashlib.blake2b(word, digest_size=8).digest() for word in words]
        return np.array([int.from_bytes(digest[:4], "little") & 0x7FFFFFFF for digest in digests], dtype=np.int32)

    def _bags(self, tokens: Sequence[NDArray[np.int32]]) -> FloatMatrix:
        vectors = np.zeros((len(tokens), self._dimension), dtype=np.float32)
        for row, numbers in zip(vectors, tokens, strict=True):
            np.add.at(row, numbers % self._dimension, 1.0)
            if not row.any():
                row[0] = 1.0
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    def _signed_vectors(self, numbers: NDArray[np.int32]) -> tuple[NDArray[np.int32], FloatMatrix]:
        """Return the numbers and float32 [n, dimension] of length 1: all parts equally large, signs by the number."""
        distinct, places = np.unique(numbers, return_inverse=True)
        rows = np.empty((len(distinct), self._dimension), dtype=np.float32)
        for row, number in zip(rows, distinct, strict=True):
            row[:] = _signs(int(number), self._dimension)
        return numbers, rows[places] / np.sqrt(np.float32(self._dimension))


@lru_cache(maxsize=4096)
def _signs(seed: int, dimension: int) -> NDArray[np.float64]:
    """Return [dimension] of -1 and 1; kept, because drawing them takes longest of what ``HashEmbedder`` does."""
    return np.random.default_rng(seed).choice((-1.0, 1.0), dimension)


class OverlapReranker:
    """Scores a passage by the share of the question's words that it holds.

    >>> OverlapReranker().scores("refund days", ["a refund", "a lamp", "refund within days"]).tolist()
    [0.5, 0.0, 1.0]
    """

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """Return shares in [0, 1]."""
        asked = {word.lower() for word in _WORD_OR_IDEOGRAPH.findall(question)}
        held = [{word.lower() for word in _WORD_OR_IDEOGRAPH.findall(passage)} for passage in passages]
        return np.array([len(asked & one) / max(1, len(asked)) for one in held], dtype=np.float64)


Script = Callable[[Sequence[Message]], Sequence[GenerationPart | Exception]]


class ScriptedGenerator:
    """Replays parts; an exception in the script is raised at its place, and a gate holds it where a test wants.

    ``script`` is given the messages and returns the parts.  Without one the generator quotes the last message's first
    evidence line.  ``gates`` maps the index of a part to an event that must be set before the part is given.
    """

    def __init__(self, script: Script | None = None, *, gates: dict[int, threading.Event] | None = None) -> None:
        self._script = script or _quote_first_line
        self._gates = {} if gates is None else gates  # a test may put one in later
        self.calls: list[list[Message]] = []
        self.closed = 0

    @property
    def model(self) -> str:
        """Name of the fake."""
        return "scripted"

    @property
    def stand_in(self) -> bool:
        """Always: this is no language model at all."""
        return True

    @property
    def continues_replies(self) -> bool:
        """Never: a script is a whole reply."""
        return False

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        """Yield the script's parts and a ``GenerationFinished``, if the script has none of its own."""
        self.calls.append(list(messages))
        finished = False
        try:
            for index, part in enumerate(self._script(messages)):
                if index in self._gates and not self._gates[index].wait(timeout=30):
                    raise TimeoutError(f"nobody opened the gate before part {index}")
                if isinstance(part, Exception):
                    raise part
                if isinstance(part, GeneratedThinking) and not think:
                    continue
                finished = isinstance(part, GenerationFinished)
                yield part
            if not finished:
                yield GenerationFinished(prompt_tokens=1, generated_tokens=1, prompt_ms=1.0, generation_ms=1.0)
        finally:
            self.closed += 1


def _quote_first_line(messages: Sequence[Message]) -> Sequence[GenerationPart]:
    content = messages[-1].content
    _, found, passages = content.partition("[1] ")
    lines = passages.splitlines()[1:] if found else content.splitlines()  # the passage's own title is no quotation
    line = next((line.strip() for line in lines if line.strip() and not line.startswith("#")), content)
    return [GeneratedThinking("Looking at the first passage."), GeneratedText(line)]


SAMPLE_DOCUMENTS = (
    Document(
        "returns.md",
        "/sample/returns.md",
        "Returning an order",
        "You can send back any item within 30 days of delivery.\n\nThe return label is free in the UK. "
        "From EU countries it costs EUR 4.95.",
        "en",
        updated_on=date(2026, 4, 1),
    ),
    Document(
        "kettle.md",
        "/sample/kettle.md",
        "Ember K2: descaling",
        "Fill the kettle half, add 20 grams of citric acid, boil it and wait for 30 minutes.",
        "en",
    ),
    Document(
        "refund.md",
        "/sample/refund.md",
        "退款到账时间",
        "仓库签收后 2 个工作日内完成质检。\n\n微信支付 1 个工作日到账，信用卡 3–7 个工作日到账。",
        "zh",
        updated_on=date(2026, 7, 1),
    ),
    Document("lock.md", "/sample/lock.md", "门锁没电", "锁把手下方有 USB-C 口，接充电宝 10 秒后可以用指纹开门。", "zh"),
)


def build_offline_pipeline(
    folder: Path,
    documents: Sequence[Document] = SAMPLE_DOCUMENTS,
    *,
    generator: ScriptedGenerator | None = None,
    refusal_threshold: float = 0.0,
    slots: int = 2,
) -> "Pipeline":
    """Return a pipeline over ``offline_parts``: one that needs no model and no network."""
    from rag.pipeline import Pipeline  # brings FAISS, which the fakes above do without

    parts = offline_parts(folder, documents, generator=generator, refusal_threshold=refusal_threshold, slots=slots)
    return Pipeline(parts)


def offline_parts(
    folder: Path,
    documents: Sequence[Document] = SAMPLE_DOCUMENTS,
    *,
    generator: ScriptedGenerator | None = None,
    refusal_threshold: float = 0.0,
    slots: int = 2,
    knowledge_base: str = "default",
    query_expansion: bool = False,
) -> "PipelineParts":
    """Publish ``documents`` in the data folder ``folder`` and return the parts of a pipeline over them.

    Without documents the pipeline serves what is published there.

    SQLite and FAISS are real; the embedder is ``HashEmbedder``, the generator scripted.  Its probabilities mean
    nothing, so it answers everything unless ``refusal_threshold`` says otherwise; 1.0 refuses all.  Nor is anything
    searched again in the generator's words, unless ``query_expansion`` is set.
    """
    from rag.generation.gateway import ModelGateway
    from rag.pipeline import PipelineParts
    from rag.queue.admission import Admission
    from rag.retrieval.late_interaction import SentenceSimilarity
    from rag.retrieval.retriever import Retriever
    from rag.settings import Settings
    from rag.storage.store import KnowledgeStore

    settings = Settings(
        data_dir=folder,
        knowledge_base=knowledge_base,
        refusal_threshold=refusal_threshold,
        thinking="off",
        query_expansion=query_expansion,
    )
    embedder = HashEmbedder()
    if documents:
        publish_documents(settings.knowledge_dir, documents, embedder)
    store = KnowledgeStore(settings.knowledge_dir)
    return PipelineParts(
        settings=settings,
        store=store,
        retriever=Retriever(store, embedder, settings),
        gateway=ModelGateway(generator or ScriptedGenerator(), Admission(slots, settings.max_waiting)),
        count_tokens=embedder.count_tokens,
        sentence_likeness=SentenceSimilarity(store, embedder).likeness,
    )


def publish_documents(folder: Path, documents: Sequence[Document], embedder: HashEmbedder) -> int:
    """Publish a generation in the knowledge folder ``folder``, one chunk a paragraph, and return its number."""
    from rag.retrieval.index_builder import IndexLimits, build_index
    from rag.retrieval.lexical_index import indexed_terms
    from rag.storage.embeddings import EmbeddingTable, embedding_hash
    from rag.storage.store import KnowledgeStore, StoredDocument
    from rag.storage.writer import KnowledgeWriter, NewChunk, NewDocument

    writer = KnowledgeWriter(folder)
    generation = writer.begin()
    for document in documents:
        chunks = tuple(NewChunk(chunk, embedding_hash(chunk), indexed_terms(chunk)) for chunk in _paragraphs(document))
        digest = hashlib.sha256(document.text.encode()).digest()
        origin = StoredDocument(
            document.document_id, "/sample", document.document_id, document.path, digest, "paragraphs"
        )
        writer.replace([NewDocument(document, origin, chunks)], generation)
    store = KnowledgeStore(folder)
    stored = [chunk for document in documents for chunk in store.document_chunks(document.document_id, generation)]
    passages = embedder.embed_passages([chunk.embedded_text for chunk in stored])
    table = EmbeddingTable(writer.database, embedder.model_id, embedder.dimension)
    table.add([embedding_hash(chunk) for chunk in stored], passages)
    generation_folder = store.generation_folder(generation)
    generation_folder.mkdir(parents=True)
    limits = IndexLimits(exact_chunks=1000, merge_share=0.1)
    build_index(writer.database, generation, embedder.model_id, embedder.dimension, limits).write(generation_folder)
    writer.publish(generation, embedder.model_id, embedder.dimension)
    writer.close()
    store.close()
    return generation


def _paragraphs(document: Document) -> Iterator[Chunk]:
    whole = Chunk(
        document_id=document.document_id,
        document_path=document.path,
        title=document.title,
        heading_path=(),
        text=document.text,
        start=0,
        end=len(document.text),
        ordinal=0,
        language=document.language,
    )
    for ordinal, match in enumerate(re.finditer(r"\S.*?(?=\s*(?:\n\s*\n|\Z))", document.text, re.DOTALL)):
        yield replace(whole, text=match.group(), start=match.start(), end=match.end(), ordinal=ordinal)
