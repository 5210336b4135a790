"""Documents become a published knowledge-base generation.

``from ingest import ingest_documents`` takes the documents of a LangChain loader.  It is loaded when it is first used:
the process that reads files imports this package and needs none of it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.langchain import ingest_documents
    from ingest.pipeline import IngestOptions

__all__ = ["IngestOptions", "ingest_documents"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (the signature that the language defines)
    if name == "ingest_documents":
        from ingest.langchain import ingest_documents

        return ingest_documents
    if name == "IngestOptions":
        from ingest.pipeline import IngestOptions

        return IngestOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
