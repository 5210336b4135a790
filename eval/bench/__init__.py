"""Benchmarks of speed, load and robustness; not part of the wheel."""
