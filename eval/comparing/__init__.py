"""Runs held against each other, against other software, and shown on a page."""
