"""Claims about support documents, true and false ones of some forty kinds, written to mislead the check.

The figures are those that it reached: they may fall, never rise.
"""

import json
from pathlib import Path
from typing import TypedDict

import pytest

from rag.grounding.citations import ground
from rag.schema import Evidence, Language, TextSpan

_PATH = Path(__file__).with_name("sentences") / "claims.jsonl"


class _Passage(TypedDict):
    title: str
    headings: str
    language: Language
    text: str


class _LabelledClaim(TypedDict):
    kind: str
    question: str
    sentence: str
    true: bool


class _Group(TypedDict):
    passages: list[_Passage]
    claims: list[_LabelledClaim]


def _evidence(number: int, passage: _Passage) -> Evidence:
    text, headings = passage["text"], tuple(name.strip() for name in passage["headings"].split(">"))
    return Evidence(
        number,
        f"d{number}",
        f"d{number}.md",
        passage["title"],
        headings,
        text,
        0,
        len(text),
        0,
        len(text),
        passage["language"],
        sent=(TextSpan(0, len(text)),),
    )


@pytest.mark.slow
def test_few_false_claims_pass_and_few_true_ones_are_marked() -> None:
    """Of 436 false claims 214 passed, and 59 of 219 true ones were marked, when these were written."""
    groups: list[_Group] = [json.loads(line) for line in _PATH.read_text(encoding="utf-8").splitlines()]
    passed: list[str] = []
    marked: list[str] = []
    for group in groups:
        evidence = [_evidence(number, passage) for number, passage in enumerate(group["passages"], start=1)]
        for claim in group["claims"]:
            found = ground(claim["sentence"], evidence, claim["question"])
            is_supported = bool(found.citations) and not found.unsupported
            if claim["true"] and not is_supported:
                marked.append(claim["sentence"])
            if not claim["true"] and not found.unsupported:
                passed.append(claim["sentence"])
    assert len(passed) <= 122, passed
    assert len(marked) <= 40, marked
