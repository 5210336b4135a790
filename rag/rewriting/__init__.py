"""Rewrites a reply in another tone, length or language, and checks that no fact has changed."""
