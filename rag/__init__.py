"""One question, answered from evidence.

``from rag import build_pipeline`` is the way in; it is loaded when it is first used, for it brings the indexes along.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.factory import build_pipeline

__all__ = ["__version__", "build_pipeline"]

__version__ = "0.2.0"
"""The only place of the version: pyproject.toml and ``answerdesk --version`` take it from here."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 (the signature that the language defines)
    if name == "build_pipeline":
        from rag.factory import build_pipeline

        return build_pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
