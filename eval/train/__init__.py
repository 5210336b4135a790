"""Tunes a model on a team's own answers, and measures whether the tuned one is better."""
