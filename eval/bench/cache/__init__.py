"""Answers without a model: whether one is ever given to another question, and how quickly they come."""
