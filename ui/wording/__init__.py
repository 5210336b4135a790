"""The sentences of the pages, in both languages."""
