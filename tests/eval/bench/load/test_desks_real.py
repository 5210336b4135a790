"""Two desks as processes over a real PostgreSQL server, with the real embedder and the stand-in for a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eval import __main__ as command
from eval.bench.load.gpu_timing import GpuTiming
from rag.storage.turn_store import TurnStore
from rag.testing import SAMPLE_DOCUMENTS
from tests.eval.bench.load.conftest import Serving
from tests.rag.command import CHECKOUT
from tests.support.places import Places

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def test_a_database_that_holds_questions_is_left_alone(
    server_places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    with TurnStore(server_places("turns")) as store:
        store.add("How long?", session="lin", language="en")
        assert command.main(["load", "--desks", "2", "--run", "refused"]) == 3
        assert len(store.list("lin")) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.nightly
def test_two_desks_share_a_server_and_leave_nothing_there(
    server_places: Places, serving: Serving, tmp_path: Path
) -> None:
    corpus, asked, figures = tmp_path / "corpus.jsonl", tmp_path / "asked.jsonl", tmp_path / "figures.json"
    documents = [{"id": one.document_id, "title": one.title, "text": one.text} for one in SAMPLE_DOCUMENTS]
    corpus.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents), encoding="utf-8")
    questions = ["Within how many days of delivery can I send an item back?", "How much citric acid for the kettle?"]
    rows = [{"id": str(number), "question": asked, "lang": "en"} for number, asked in enumerate(questions)]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    environment = {**server_places.environment(), "OLLAMA_HOST": serving(GpuTiming(slots=2)), "LC_ALL": "C.UTF-8"}
    options = ["--desks", "2", "--sessions", "4", "--duration", "4", "--rounds", "2", "--against", "none"]
    options += ["--no-think", "--json", str(figures), "--run", "shared"]
    done = subprocess.run(
        [sys.executable, "-m", "eval", "load", "--corpus", str(corpus), "--questions", str(asked), *options],
        cwd=CHECKOUT,
        env={**environment, "ANSWERDESK_PARALLEL_SLOTS": "2"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "several desks" in done.stdout
    found = json.loads(figures.read_text("utf-8"))
    assert found["product_against"]["one_desk"]["ratio"] > 0
    for arm in ("one_desk", "desks"):
        outcomes = found["arms"][arm]["outcomes"]
        assert outcomes["answered"] + outcomes["refused"] == found["arms"][arm]["n"] >= 2, outcomes
    assert server_places.ask("turns", "SELECT count(*) FROM turn") == [(0,)]
    assert server_places.ask("queue", "SELECT count(*) FROM ticket") == [(0,)]
