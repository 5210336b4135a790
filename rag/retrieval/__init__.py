"""Find the passages, and tell whether they are enough."""
