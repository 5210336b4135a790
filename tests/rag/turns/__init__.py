"""Tests of rag/turns."""
