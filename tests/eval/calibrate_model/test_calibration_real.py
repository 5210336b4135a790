"""The whole command on the real Ollama with the small stand-in: one question, as it is; no figure is judged."""

import json
from pathlib import Path

import pytest

from eval import __main__ as command
from rag.serving.server import ServerStatus
from rag.settings import KEPT_NAME, Settings, load_settings
from tests.conftest import REAL_MODEL

pytestmark = pytest.mark.real

TEXT = "You can send back any item within 30 days of delivery."


def test_a_model_is_calibrated_as_it_is_beside_a_running_server(
    real_settings: Settings,
    real_ollama: ServerStatus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"id": "r", "title": "Returns", "text": TEXT}) + "\n", "utf-8")
    asked = {
        "id": "q1",
        "question": "Within how many days can I send it back?",
        "answers": ["30 days"],
        "relevant": ["r"],
    }
    (tmp_path / "questions.jsonl").write_text(json.dumps(asked) + "\n", "utf-8")
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ANSWERDESK_OLLAMA_HOST", real_settings.ollama_url)
    load_settings.cache_clear()
    sets = ["--corpus", str(tmp_path / "corpus.jsonl"), "--questions", str(tmp_path / "questions.jsonl")]
    options = ["--model", REAL_MODEL, "--slots", "2", "--contexts", "2048", "--no-think", "--run", "small", "--yes"]
    try:
        assert command.main(["calibrate", "model", *sets, *options]) == 0
    finally:
        load_settings.cache_clear()
    folder = tmp_path / "data" / "runs" / "small"
    (row,) = json.loads((folder / "figures.json").read_text(encoding="utf-8"))["rows"]
    assert row["n"] == 1
    assert row["errors"] == 0
    assert row["memory_bytes"] > 300_000_000
    assert row["prompt_rate"] > 0
    assert "not DeepSeek-R1's figures" in capsys.readouterr().out
    assert json.loads((tmp_path / "data" / KEPT_NAME).read_text(encoding="utf-8")) == {
        "model": REAL_MODEL,
        "parallel_slots": 2,
        "context_tokens": 2048,
    }
    assert not (folder / "workshop").exists()
    assert (folder / "report.html").stat().st_size > 2000
