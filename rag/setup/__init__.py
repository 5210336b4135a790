"""Installs Ollama, a model and the embedder on this machine."""
