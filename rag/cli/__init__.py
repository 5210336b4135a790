"""The commands of ``python -m rag`` and ``python -m rag.ollama``."""
