"""The load test through the real page: ``python -m ui``, the real embedder, Chromium, and the stand-in for a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eval.bench.load.gpu_timing import GpuTiming
from rag.testing import SAMPLE_DOCUMENTS
from tests.eval.bench.load.conftest import Serving
from tests.rag.command import CHECKOUT, environment

pytestmark = [pytest.mark.real, pytest.mark.nightly, pytest.mark.timeout(600)]


def test_two_browsers_ask_the_real_page(serving: Serving, tmp_path: Path) -> None:
    corpus, asked, figures = tmp_path / "corpus.jsonl", tmp_path / "asked.jsonl", tmp_path / "figures.json"
    documents = [{"id": one.document_id, "title": one.title, "text": one.text} for one in SAMPLE_DOCUMENTS]
    corpus.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents), encoding="utf-8")
    questions = ["Within how many days of delivery can I send an item back?", "How much citric acid for the kettle?"]
    rows = [{"id": str(number), "question": asked, "lang": "en"} for number, asked in enumerate(questions)]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    env = environment(tmp_path / "data", OLLAMA_HOST=serving(GpuTiming(slots=2)), ANSWERDESK_PARALLEL_SLOTS="2")
    options = ["--page", "--sessions", "2", "--duration", "4", "--rounds", "1", "--against", "none", "--no-think"]
    options += ["--json", str(figures), "--run", "paged"]
    command = [sys.executable, "-m", "eval", "load", "--corpus", str(corpus), "--questions", str(asked)]
    done = subprocess.run(
        [*command, *options],
        cwd=CHECKOUT,
        env=env,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = json.loads(figures.read_text("utf-8"))["arms"]["page"]
    assert page["n"] >= 2
    assert page["outcomes"]["answered"] + page["outcomes"]["refused"] == page["n"]
    assert page["times"]["evidence_ms"]["p50"] <= page["times"]["total_ms"]["p50"]
    assert page["memory_mb_a_session"] is not None
