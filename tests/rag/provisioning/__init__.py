"""Tests of rag/provisioning."""
