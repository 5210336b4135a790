"""The locally managed Ollama, and who may use it when."""
