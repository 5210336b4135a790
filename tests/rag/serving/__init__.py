"""Tests of rag/serving."""
