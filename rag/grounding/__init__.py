"""Checks an answer against its evidence: claims, citations, contradictions, prompt injection."""
