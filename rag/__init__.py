"""One question, answered from evidence."""
