"""``python -m eval.bench.langchain.ingest FOLDER EMBEDDER_FOLDER TOKENS``: LangChain's stock ingest, for comparison.

Its parts are those of every tutorial: ``DirectoryLoader`` with ``TextLoader``, ``RecursiveCharacterTextSplitter``,
``HuggingFaceEmbeddings`` on sentence-transformers, ``FAISS.from_documents``.  Prints what that took, as JSON.
"""

import json
import sys
import time
import warnings
from pathlib import Path


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
