"""LangChain's stock retrieval, answers and ingest, as its tutorials build them, over the same documents and models.

``RecursiveCharacterTextSplitter`` at 1,000 characters with 200 of overlap, ``HuggingFaceEmbeddings`` on the same
weights, ``FAISS``; and ``EnsembleRetriever`` of that and ``BM25Retriever``, half and half.  Nothing is mended: the
embedder gets no prefix, and BM25 splits at white space, of which Chinese has none.

``python -m eval.bench.langchain.baseline FOLDER EMBEDDER_FOLDER TOKENS`` is the ingest: ``DirectoryLoader`` with
``TextLoader``, the same splitter and embeddings, ``FAISS.from_documents``.  It prints what that took, as JSON.
"""

import hashlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rag.files import write_whole
from rag.schema import Document

System = Literal["faiss", "ensemble"]
SYSTEMS: tuple[System, ...] = ("faiss", "ensemble")

CHUNK_CHARACTERS, OVERLAP_CHARACTERS = 1000, 200
SEARCHED_CHUNKS = 20
ANSWERED_FROM_CHUNKS = 4
"""The default of ``as_retriever``."""

_PROMPT = """You are an assistant for question-answering tasks. Use the following pieces of retrieved context to \
answer the question. If you don't know the answer, just say that you don't know. Use three sentences maximum and keep \
the answer concise.
Question: {input}
Context: {context}
Answer:"""  # rlm/rag-prompt of LangChain's hub


@dataclass(frozen=True, slots=True)
class ChatModel:
    """The model that answers: its name in the Ollama at ``url``, and what ours is given as well.

    Thinking is switched off unless ``think``: left to itself, the stand-in's whole reply would arrive as a thought.
    """

    name: str
    url: str
    context_tokens: int
    answer_tokens: int
    think: bool = False


@dataclass(frozen=True, slots=True)
class StockAnswer:
    """A reply, the documents it was made from, best first, what of them was sent, and Ollama's counts of tokens."""

    text: str
    documents: tuple[str, ...]
    sent: str
    prompt_tokens: int
    generated_tokens: int


class StockPipelines:
    """Both stock pipelines over the same chunks."""

    def __init__(
        self, documents: Sequence[Document], embedder_folder: Path, vectors_folder: Path | None = None
    ) -> None:
        """Cut and embed; takes as long as the torch encoder takes.

        Vectors are kept in ``vectors_folder``, named by the chunks, and taken from there the next time.
        """
        with warnings.catch_warnings():  # LangChain announces the end of its own parts
            warnings.simplefilter("ignore")
            from langchain_classic.retrievers import EnsembleRetriever
            from langchain_community.embeddings import HuggingFaceEmbeddings
            from langchain_community.retrievers import BM25Retriever
            from langchain_community.vectorstores import FAISS
            from langchain_core.documents import Document as StockDocument
            from langchain_text_splitters import RecursiveCharacterTextSplitter

            warnings.simplefilter("ignore")  # its import puts its own announcements first again
            embeddings = HuggingFaceEmbeddings(model_name=str(embedder_folder))
        splitter = RecursiveCharacterTextSplitter(chunk_size=CHUNK_CHARACTERS, chunk_overlap=OVERLAP_CHARACTERS)
        chunks = splitter.split_documents(
            [
                StockDocument(page_content=f"{one.title}\n{one.text}", metadata={"id": one.document_id})
                for one in documents
            ]
        )
        texts = [one.page_content for one in chunks]
        embedded = _embedded(texts, embeddings.embed_documents, embedder_folder.name, vectors_folder)
        pairs = zip(texts, embedded.tolist(), strict=True)
        vectors = FAISS.from_embeddings(pairs, embeddings, [one.metadata for one in chunks])  # as from_documents does
        words = BM25Retriever.from_documents(chunks, k=SEARCHED_CHUNKS)
        near = vectors.as_retriever(search_kwargs={"k": SEARCHED_CHUNKS})
        both = EnsembleRetriever(retrievers=[words, near], weights=[0.5, 0.5])
        self.chunks = len(chunks)
        self._retrievers: Mapping[System, Any] = {"faiss": near, "ensemble": both}
        self._for_answers: Mapping[System, Any] = {"faiss": vectors.as_retriever(), "ensemble": both}

    def search(self, system: System, question: str) -> tuple[str, ...]:
        """Return the documents found, best first, each once."""
        return _documents(self._retrievers[system].invoke(question))

    def context(self, system: System, question: str) -> tuple[tuple[str, ...], str]:
        """Return the documents and the text that an answer would be made from."""
        found = self._for_answers[system].invoke(question)[:ANSWERED_FROM_CHUNKS]
        return _documents(found), _joined(found)

    def answering(self, system: System, model: ChatModel) -> Callable[[str], StockAnswer]:
        """Return a function that answers a question: the stock retrieval chain with the hub's prompt."""
        from langchain_classic.chains import create_retrieval_chain
        from langchain_classic.chains.combine_documents import create_stuff_documents_chain
        from langchain_core.callbacks import UsageMetadataCallbackHandler
        from langchain_core.prompts import ChatPromptTemplate
        from langchain_core.runnables import RunnableLambda
        from langchain_ollama import ChatOllama

        chat = ChatOllama(
            model=model.name,
            base_url=model.url,
            num_ctx=model.context_tokens,
            num_predict=model.answer_tokens,
            reasoning=model.think,
        )
        retriever = self._for_answers[system]
        first = RunnableLambda(lambda asked: retriever.invoke(asked["input"])[:ANSWERED_FROM_CHUNKS])
        stuff = create_stuff_documents_chain(chat, ChatPromptTemplate.from_template(_PROMPT))
        chain = create_retrieval_chain(first, stuff)

        def answer(question: str) -> StockAnswer:
            usage = UsageMetadataCallbackHandler()
            found = chain.invoke({"input": question}, config={"callbacks": [usage]})
            counts = list(usage.usage_metadata.values())
            return StockAnswer(
                text=str(found["answer"]).strip(),
                documents=_documents(found["context"]),
                sent=_joined(found["context"]),
                prompt_tokens=sum(one["input_tokens"] for one in counts),
                generated_tokens=sum(one["output_tokens"] for one in counts),
            )

        return answer


def _documents(chunks: Sequence[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(chunk.metadata["id"]) for chunk in chunks))


def _joined(chunks: Sequence[Any]) -> str:
    return "\n".join(chunk.page_content for chunk in chunks)


def _embedded(
    texts: Sequence[str], embed: Callable[[list[str]], list[list[float]]], model: str, folder: Path | None
) -> NDArray[np.float32]:
    """Return the vectors of texts, float32 [texts, dimension], from the folder where they were embedded before."""
    digest = hashlib.sha256("\0".join([model, *texts]).encode()).hexdigest()[:16]
    path = None if folder is None else folder / f"{digest}.npy"
    if path is not None and path.is_file():
        return np.asarray(np.load(path), dtype=np.float32)
    vectors = np.asarray(embed(list(texts)), dtype=np.float32)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = io.BytesIO()
        np.save(written, vectors)
        write_whole(path, written.getvalue())
    return vectors


def main(folder: Path, embedder_folder: Path, chunk_tokens: int) -> None:
    """Ingest a folder of UTF-8 Markdown; the time counts from the first file on, with the model loaded and warm."""
    warnings.simplefilter("ignore")  # LangChain announces the end of its own parts
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_community.embeddings import HuggingFaceEmbeddings
    from langchain_community.vectorstores import FAISS
    from langchain_text_splitters import RecursiveCharacterTextSplitter
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(embedder_folder / "tokenizer.json"))

    def count_tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    embeddings = HuggingFaceEmbeddings(
        model_name=str(embedder_folder), encode_kwargs={"normalize_embeddings": True, "prompt": "passage: "}
    )
    embeddings.embed_documents(["warm"] * 8)
    began_at = time.perf_counter()
    loader = DirectoryLoader(str(folder), glob="**/*.md", loader_cls=TextLoader, loader_kwargs={"encoding": "utf-8"})
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=chunk_tokens, chunk_overlap=chunk_tokens // 8, length_function=count_tokens
    )
    chunks = splitter.split_documents(loader.load())
    index = FAISS.from_documents(chunks, embeddings)
    seconds = time.perf_counter() - began_at
    tokens = sum(count_tokens(chunk.page_content) for chunk in chunks)
    sys.stdout.write(json.dumps({"chunks": index.index.ntotal, "tokens": tokens, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
