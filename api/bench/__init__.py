"""Benchmarks of a source checkout: ``python -m api.bench`` says what the API adds to the pipeline."""
