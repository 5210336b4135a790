"""Tests of ui: logic with AppTest, and the page in a real browser against a server whose answers wait at gates."""
