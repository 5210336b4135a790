"""Chooses and packs the passages that are shown and that the model reads."""
