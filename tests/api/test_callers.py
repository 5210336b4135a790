"""What the headers of a caller say: the language of the sentences."""

import time

import pytest

from api.callers import language_of


@pytest.mark.parametrize(
    ("given", "language"),
    [
        ("zh", "zh"),
        ("zh-Hans-CN", "zh"),
        ("zh_CN", "zh"),
        ("ZH-cn;Q=0.8", "zh"),
        ("en;q=0.5, zh;q=0.9", "zh"),
        ("zh;q=0.5,en;q=0.9", "en"),
        ("fr, zh;q=0.5", "zh"),
        ("fr,de;q=0.9", "en"),
        ("zh;q=0, en", "en"),
        ("zh;q=0", "en"),
        ("zh;q=0.000, *", "en"),
        ("*, zh;q=0.5", "en"),
        ("zh, en", "zh"),
        ("en, zh", "en"),
        ("zh ; q=0.4 , en ; q=0.3", "zh"),
        ("zho", "en"),
        ("zh;q=nan", "en"),
        ("zh;q=9", "en"),
        ("zh;q=-1", "en"),
        (";;,=,zh", "zh"),
    ],
)
def test_the_preferred_language_of_ours_is_spoken(given: str, language: str) -> None:
    assert language_of({"accept-language": given}) == language


@pytest.mark.parametrize(
    "given", ["," * 1_000_000 + "zh", "zh" + ";" * 1_000_000, "zh-" + "a" * 1_000_000, " " * 10**6]
)
def test_a_hostile_header_takes_no_time(given: str) -> None:
    started_at = time.monotonic()
    assert language_of({"accept-language": given}) == "en"
    assert time.monotonic() - started_at < 0.5
