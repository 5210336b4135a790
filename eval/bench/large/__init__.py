"""How a large knowledge base behaves."""
