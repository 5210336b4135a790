"""Accuracy, refusals and latency, measured."""
