"""Sentences with the passages that they are held against, labelled by hand."""

import json
from dataclasses import dataclass
from pathlib import Path

from rag.schema import Evidence, Language

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class LabelledSentence:
    """``label`` is supported, unsupported or nothing; ``quote`` must be part of a quotation of a supported one."""

    number: int
    kind: str
    sentence: str
    question: str
    evidence: tuple[Evidence, ...]
    label: str
    quote: str


def labelled_sentences() -> list[LabelledSentence]:
    passages = json.loads((_FOLDER / "labelled_passages.json").read_text("utf-8"))
    rows = [json.loads(line) for line in (_FOLDER / "labelled_sentences.jsonl").read_text("utf-8").splitlines()]
    return [
        LabelledSentence(
            number=row["id"],
            kind=row["kind"],
            sentence=row["sentence"],
            question=row["question"],
            evidence=tuple(
                passage(number, name, passages[name]) for number, name in enumerate(row["passages"], start=1)
            ),
            label=row["label"],
            quote=row["quote"],
        )
        for row in rows
    ]


def passage(number: int, name: str, fields: dict[str, str], start: int = 1000) -> Evidence:
    text = fields["text"]
    end = start + len(text)
    language: Language = "zh" if fields["language"] == "zh" else "en"
    return Evidence(number, name, f"{name}.md", fields["title"], (), text, start, end, start, end, language)
