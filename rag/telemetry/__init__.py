"""Spans of each answer for OpenTelemetry, where somebody names a collector; never a word of question or answer."""
