"""Checks of the measurements; ``reference_values`` are what well-known libraries gave, with their versions."""

from pathlib import Path

REFERENCE_VALUES = Path(__file__).with_name("reference_values")
