"""Customer texts as they reach a desk: where on the way to a right answer each one is lost."""
