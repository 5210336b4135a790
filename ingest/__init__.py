"""Documents become a published knowledge-base generation."""
