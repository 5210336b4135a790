"""A passage of each language about returning goods, sent to the model as a whole."""

from dataclasses import replace

from rag.schema import Evidence, TextSpan

RETURNS_TEXT = "# Returns\n\nYou have **30 days** to send it back.\n| Code | Fee |\n|---|---|\n| L4 | 5 EUR |"
RETURNS_PASSAGE = Evidence(
    1,
    "a",
    "a.md",
    "Returns",
    (),
    RETURNS_TEXT,
    0,
    len(RETURNS_TEXT),
    0,
    len(RETURNS_TEXT),
    "en",
    sent=(TextSpan(0, len(RETURNS_TEXT)),),
)
CHINESE = "退货须在 30 天内提出。逾期不予受理。"
CHINESE_PASSAGE = replace(
    RETURNS_PASSAGE,
    text=CHINESE,
    end=len(CHINESE),
    focus_end=len(CHINESE),
    language="zh",
    sent=(TextSpan(0, len(CHINESE)),),
)
