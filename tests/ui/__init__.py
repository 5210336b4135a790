"""Tests of ui: logic with AppTest, and the page in a real browser against a server whose answers wait at gates."""

import pytest

pytest.register_assert_rewrite("tests.ui.browser")
