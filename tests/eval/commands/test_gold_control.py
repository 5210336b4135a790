"""A wrong document is no right reply, and the beginning of the right one is."""

import json
from pathlib import Path

import pytest

from eval.commands import gold_control
from rag.testing import SAMPLE_DOCUMENTS, offline_parts

pytestmark = pytest.mark.slow


def test_the_judge_tells_documents_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = offline_parts(tmp_path / "offline")
    monkeypatch.setattr(gold_control, "open_parts", lambda one, settings, progress: parts)
    rows = [
        {"id": one.document_id, "question": one.title, "answers": [one.text], "relevant": [one.document_id]}
        for one in SAMPLE_DOCUMENTS
    ]
    rows.append({"id": "short", "question": "how many days?", "answers": ["30 days"], "relevant": ["returns.md"]})
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert gold_control.main(["--questions", str(asked)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "n": len(SAMPLE_DOCUMENTS),
        "wrong_document": 0.0,
        "wrong_document_beginning": 0.0,
        "known_answer_beginning": 1.0,
    }
