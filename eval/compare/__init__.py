"""Compares runs with each other, and draws the report."""
