"""The whole with the real embedder and the real Ollama, from a corpus to answers, and conversations in bulk."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rag.ollama.server import ServerStatus
from rag.settings import Settings
from rag.testing import SAMPLE_DOCUMENTS
from tests.rag.command import BESIDE_OTHER_TESTS, CHECKOUT, environment, run_rag

pytestmark = pytest.mark.real


def rows(path: Path, *given: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given), encoding="utf-8")
    return path


def test_a_corpus_is_asked_in_three_arms_and_a_batch_of_it(
    real_ollama: ServerStatus, real_settings: Settings, tmp_path: Path
) -> None:
    host = {"OLLAMA_HOST": real_settings.ollama_url, "ANSWERDESK_MODEL": real_settings.model}
    env = environment(tmp_path / "data", **host, **BESIDE_OTHER_TESTS)
    corpus = rows(
        tmp_path / "corpus.jsonl",
        *({"id": one.document_id, "title": one.title, "text": one.text} for one in SAMPLE_DOCUMENTS),
    )
    question = "Within how many days of delivery can I send an item back?"
    asked = {"id": "a", "question": question, "answers": ["30 days"], "relevant": ["returns.md"]}
    questions, figures = rows(tmp_path / "asked.jsonl", asked), tmp_path / "figures.json"
    options = ["--corpus", str(corpus), "--questions", str(questions), "--no-think", "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, "-m", "eval", "answers", *options, "--run", "one"],
        cwd=CHECKOUT,
        env=env,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    saved = json.loads(figures.read_text("utf-8"))
    assert (saved["n"], saved["accuracy"], saved["ceiling"]["accuracy"]) == (1, 1.0, 1.0)
    assert (saved["model"], saved["stand_in"]) == ("stand-in:0.5b", True)
    assert saved["tokens"]["prompt"] > saved["tokens"]["evidence"] > 0
    assert saved["floor"]["tokens"]["prompt"] < saved["ceiling"]["tokens"]["prompt"]
    assert {"p50", "p95", "p99"} <= saved["latency_ms"]["prompt"].keys()

    (folder,) = (tmp_path / "data" / "runs" / "knowledge").iterdir()
    conversations = rows(tmp_path / "in.jsonl", {"id": "c", "turns": [{"user": question}]})
    out = tmp_path / "out.jsonl"
    ran = run_rag("batch", "--no-think", str(conversations), str(out), env={**env, "ANSWERDESK_DATA_DIR": str(folder)})
    assert ran.code == 0, ran.err
    (answer,) = map(json.loads, out.read_text("utf-8").splitlines())
    assert answer["id"] == "c"
    assert "30" in answer["text"]
