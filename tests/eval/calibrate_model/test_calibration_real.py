"""The whole command on the real Ollama: a model of a few megabytes, whose words are chance, quantized and asked.

What is tested is the machinery (servers, quantizing, records, figures, the choice), so no figure is judged.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from eval import __main__ as command
from rag.ollama.client import OllamaClient
from rag.ollama.model_creation import ModelMaker
from rag.ollama.model_files import model_source
from rag.ollama.server import ensure_running, stop
from rag.settings import KEPT_NAME, Settings, load_settings
from rag.terminal import Update
from tests.conftest import free_port
from tests.support.small_models import write_safetensors_folder

pytestmark = pytest.mark.real

MODEL = "stand-in:tiny-f16"
TEXT = "You can send back any item within 30 days of delivery."
QUESTIONS = ("Within how many days can I send it back?", "How long may a return take?")


@contextmanager
def silent() -> Iterator[Update]:
    yield lambda done, total: None


def shown(key: str, what: str) -> AbstractContextManager[Update]:
    return silent()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Run a team's Ollama that holds the small model, and point the environment to it."""
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ANSWERDESK_OLLAMA_HOST", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("ANSWERDESK_ANSWER_BUDGET_TOKENS", "16")  # words of chance have no end
    monkeypatch.setenv("ANSWERDESK_MODEL_THREADS", "1")
    load_settings.cache_clear()
    settings = load_settings()
    ensure_running(settings, while_we_live=True)
    try:
        source = model_source(write_safetensors_folder(tmp_path / "tiny"))
        ModelMaker(OllamaClient(settings.ollama_url), shown).import_files(source, MODEL)
        yield settings
    finally:
        stop(settings)
        load_settings.cache_clear()


def calibrate(folder: Path, knobs: str, *options: str) -> int:
    corpus, asked = folder / "corpus.jsonl", folder / "questions.jsonl"
    corpus.write_text(json.dumps({"id": "r", "title": "Returns", "text": TEXT}) + "\n", "utf-8")
    rows = [{"id": f"q{n}", "question": text, "answers": ["30 days"]} for n, text in enumerate(QUESTIONS)]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    sets = ["--corpus", str(corpus), "--questions", str(asked), "--contexts", "2048", "--slots", "2", "--no-think"]
    kinds = ["--model", MODEL, "--quantizations", "q8_0,q4_K_M", "--knobs", knobs, "--run", "small"]
    return command.main(["calibrate", "model", *sets, *kinds, *options])


def figures(settings: Settings) -> dict[str, Any]:
    text = (settings.data_dir / "runs" / "small" / "figures.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


# A knob of the server, which is started anew for it, on each commit; at night one of each model's options as well.
@pytest.mark.parametrize(
    ("knobs", "tried"),
    [("flash", ["flash"]), pytest.param("flash,batch", ["flash", "batch", "batch"], marks=pytest.mark.nightly)],
    ids=["flash", "flash-batch"],
)
def test_models_are_made_asked_scored_and_the_winner_is_brought_home(
    desk: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], knobs: str, tried: Sequence[str]
) -> None:
    assert calibrate(tmp_path, knobs) == 0
    said = capsys.readouterr().out
    assert "not DeepSeek-R1's figures" in said
    assert "--run small --yes" in said
    rows = figures(desk)["rows"]
    assert [(row["configuration"]["kind"], row["configuration"]["slots"]) for row in rows] == [
        ("q8_0", 2),
        ("q4_K_M", 2),
    ]
    assert [(row["n"], row["errors"]) for row in rows] == [(2, 0)] * 2
    assert all(row["prompt_rate"] > 0 and row["generation_rate"] > 0 for row in rows)
    assert rows[0]["memory_bytes"] > rows[1]["memory_bytes"] > 0
    trials = figures(desk)["trials"]
    turned = [(trial["configuration"]["tuning"], trial["knob"]) for trial in trials]
    assert [knob for _, knob in turned] == tried
    assert turned[0][0]["flash_attention"] is False
    assert all(trial["prompt_ratio"] > 0 and trial["generation_ratio"] > 0 for trial in trials)
    home = OllamaClient(desk.ollama_url)
    assert [model.name for model in home.models()] == [MODEL]  # the team's own store was only read
    folder = desk.data_dir / "runs" / "small"
    assert (folder / "report.html").stat().st_size > 2000
    assert not (folder / "workshop").exists()
    before = {path.name: path.read_bytes() for path in folder.glob("records-*.jsonl")}
    assert calibrate(tmp_path, knobs, "--yes") == 0  # nothing is asked again, the winner is chosen
    assert {path.name: path.read_bytes() for path in folder.glob("records-*.jsonl")} == before
    chosen = figures(desk)["best"]["configuration"]
    kept = json.loads((desk.data_dir / KEPT_NAME).read_text(encoding="utf-8"))
    assert (kept["model"], kept["parallel_slots"], kept["thinking"]) == (chosen["model"], chosen["slots"], "off")
    assert {name: kept[name] for name in chosen["tuning"]} == chosen["tuning"]
    details = home.show(chosen["model"])
    assert details.quantization == chosen["kind"].upper()
    assert details.template == home.show(MODEL).template
