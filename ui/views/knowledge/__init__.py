"""The Knowledge page: articles, updates, checks, history."""
