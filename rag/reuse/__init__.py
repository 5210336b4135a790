"""Answers that exist already: curated by people, or cached from the model."""
