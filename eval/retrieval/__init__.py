"""Whether the right documents are found, without a model."""
