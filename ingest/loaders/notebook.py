"""Jupyter notebooks: words and code, without the outputs."""

import json
from collections.abc import Iterator

from ingest.loaders.fields import make_document
from ingest.loaders.markdown import markdown_text
from ingest.loaders.plain_markup import code_block
from ingest.loaders.source import Limits, SourceFile
from ingest.loaders.text import decoded
from rag.schema import Document


def load_notebook(source: SourceFile, raw: bytes, limits: Limits) -> Iterator[Document]:
    """Yield the one document of a notebook.  Its title is the first heading, else the file's name."""
    del limits
    notebook = json.loads(decoded(source, raw))
    language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", ""))
    blocks: list[str] = []
    title = ""
    for cell in notebook["cells"]:
        content = cell.get("source", "")
        content = "".join(content) if isinstance(content, list) else str(content)
        if cell.get("cell_type") == "markdown":
            text, heading = markdown_text(content)
            blocks.append(text)
            title = title or heading
        elif cell.get("cell_type") == "code":
            blocks.append(code_block(content, language))
    yield make_document(source, "\n\n".join(filter(None, blocks)), {"title": title}, kind="notebook")
