"""Exports each answer as OpenTelemetry spans if a collector is configured; never question or answer text."""
