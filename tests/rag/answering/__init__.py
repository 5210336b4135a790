"""Tests of rag/answering."""
