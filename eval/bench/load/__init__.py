"""Many sessions at once: the product under load, beside what asks the same model without it."""
