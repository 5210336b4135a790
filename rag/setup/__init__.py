"""Brings Ollama, a model and the embedder onto this machine."""
