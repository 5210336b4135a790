"""Whether a question without an answer is refused, and one with an answer is not."""
