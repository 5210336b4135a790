"""The same questions through LangChain's stock pipelines."""
