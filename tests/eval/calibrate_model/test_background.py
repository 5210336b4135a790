"""What a page orders: the same run as the command's, told configuration by configuration, and its winner used."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from eval.calibrate_model import background_process, calibration
from eval.calibrate_model.background import CalibrationProcess, CalibrationProgress, Order
from eval.calibrate_model.report import Findings, findings_of
from eval.calibrate_model.results import DEFAULT_TUNING, Target, Tuning, configurations, rows_of
from eval.calibrate_model.sandbox_ollama import AS_IS, Workshop
from eval.commands import calibrate_model as command
from eval.commands import shared
from eval.core.runs import Run
from rag.errors import NoRegressionQuestions, SettingsError
from rag.ollama.advice import Rates
from rag.ollama.hardware import Machine
from rag.pipeline import PipelineParts
from rag.settings import KEPT_NAME, Settings
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, offline_parts
from tests.eval.calibrate_model.records import SERVING, question, record
from tests.ollama_stub import OllamaStub
from tests.rag.ollama.test_sizing import SMALL, TENSORS

pytestmark = pytest.mark.slow

MODEL = "stand-in:0.5b"
ORDER = Order("monday", MODEL, (1, 2), (2048,), limit=0, minutes=5)


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[OllamaStub]:
    blob = tmp_path / "sha256-ab"
    blob.write_bytes(b"GGUF")
    tensors = [{"name": one.name, "type": one.kind, "shape": list(one.shape)} for one in TENSORS]
    with OllamaStub(models=[MODEL]) as server:
        server.details |= {"model_info": SMALL, "tensors": tensors, "modelfile": f"FROM {blob}\n"}
        yield server


@pytest.fixture
def settings(stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A knowledge base with two questions; the calibration's own server is the stub, and its parts are offline."""
    parts = offline_parts(tmp_path / "kb")
    made = parts.settings.changed(ollama_host=stub.url, cache_dir=tmp_path / "cache")
    questions = RegressionQuestions(KnowledgeStore(made.knowledge_dir))
    for text, document, quote in (
        ("How much citric acid goes into the kettle?", "kettle.md", "20 grams"),
        ("信用卡退款多久到账？", "refund.md", "信用卡 3–7 个工作日到账"),
    ):
        language = "en" if text.isascii() else "zh"
        questions.add(RegressionQuestion(text, language, (document,), quote=quote, origin="correction"))

    @contextmanager
    def server(
        workshop: Workshop, slots: int, context_tokens: int, model: str = "", tuning: Tuning = DEFAULT_TUNING
    ) -> Iterator[Settings]:
        numbers = {"parallel_slots": slots, "context_tokens": context_tokens, **asdict(tuning)}
        yield workshop.settings.changed(model=model, **numbers)

    def offline(own: Settings, *rest: Any, **named: Any) -> PipelineParts:
        return parts

    def rates(*rest: Any, **named: Any) -> Rates:
        return Rates(80.0, 12.0, 1, "2026-11-25")

    def once(client: object, model: str, options: dict[str, int], number: int) -> tuple[float, float]:
        return (160.0 if options.get("num_batch") == 1024 else 80.0), 12.0

    monkeypatch.setattr(calibration, "time_once", once)
    monkeypatch.setattr(calibration, "usable_cores", lambda: 2)
    monkeypatch.setattr(Workshop, "server", server)
    monkeypatch.setattr(calibration, "open_embedder", lambda settings: HashEmbedder())
    monkeypatch.setattr(calibration, "build_parts", offline)
    monkeypatch.setattr(calibration, "measure_rates", rates)
    return made


def test_a_run_is_told_configuration_by_configuration_and_saved(settings: Settings) -> None:
    told: list[CalibrationProgress] = []
    background_process.calibrate(settings, ORDER, told.append)
    assert [(one.slots, one.done, one.number) for one in told] == [(1, 1, 1), (1, 2, 1), (2, 1, 2), (2, 2, 2)]
    assert {(one.kind, one.context_tokens, one.total, one.count) for one in told} == {(AS_IS, 2048, 2, 2)}
    found = findings_of(Run.named("monday", settings))
    assert [row.configuration.slots for row in found.rows] == [1, 2]
    assert (found.model, found.stand_in, found.whole) == (MODEL, True, True)
    identity = Run.named("monday", settings).identity()
    assert (identity["command"], identity["knowledge"]) == ("calibrate model", "default")


def test_the_command_makes_the_same_run_and_asks_before_it_chooses(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (command, shared):
        monkeypatch.setattr(module, "chosen_settings", lambda arguments: settings.changed(model=MODEL))
    given = ["--kb", "default", "--slots", "1,2", "--contexts", "2048", "--limit", "100", "--run", "tuesday"]
    assert command.main(given) == 0
    said = capsys.readouterr().out
    assert "--run tuesday --yes" in said
    run = Run.named("tuesday", settings)
    assert (run.folder / "report.html").is_file()
    assert len(findings_of(run).rows) == 2
    assert not (settings.data_dir / KEPT_NAME).exists()


def test_knobs_are_turned_from_the_best_on_and_what_wins_is_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (command, shared):
        monkeypatch.setattr(module, "chosen_settings", lambda arguments: settings.changed(model=MODEL))
    given = ["--kb", "default", "--slots", "1", "--contexts", "2048", "--limit", "100", "--run", "knobs", "--yes"]
    assert command.main(given) == 0
    found = findings_of(Run.named("knobs", settings))
    assert [(one.configuration.tuning.key, one.prompt_ratio, one.kept) for one in found.trials] == [
        ("flash_attention=False", 1.0, False),
        ("kv_cache_type=q8_0", 1.0, False),
        ("batch_tokens=256", 1.0, False),
        ("batch_tokens=1024", 2.0, True),
        ("batch_tokens=1024,model_threads=1", 1.0, False),
        ("batch_tokens=1024,model_threads=3", 1.0, False),
    ]
    assert [one.row is None for one in found.trials] == [True, True, True, False, True, True]  # who is not quicker
    assert found.best == found.trials[3].row
    assert found.trials[3].agreement == 1.0
    assert "batch_tokens=1024" in capsys.readouterr().out
    kept = json.loads((settings.data_dir / KEPT_NAME).read_text(encoding="utf-8"))
    assert (kept["batch_tokens"], kept["flash_attention"], kept["kv_cache_type"]) == (1024, True, "f16")
    before = {path.name: path.read_bytes() for path in Run.named("knobs", settings).folder.glob("*.json*")}
    assert command.main(given) == 0  # nothing is measured or asked again
    assert {path.name: path.read_bytes() for path in Run.named("knobs", settings).folder.glob("*.json*")} == before


@pytest.mark.parametrize("bytes_here", [1, 100_000_000_000])
def test_knobs_are_left_where_two_servers_do_not_fit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, bytes_here: int
) -> None:
    for module in (command, shared):
        monkeypatch.setattr(module, "chosen_settings", lambda arguments: settings.changed(model=MODEL))
    monkeypatch.setattr(Machine, "here", lambda: Machine(2, bytes_here, 0))
    given = [
        "--kb",
        "default",
        "--slots",
        "1",
        "--contexts",
        "2048",
        "--limit",
        "100",
        "--knobs",
        "flash",
        "--run",
        "a",
    ]
    assert command.main(given) == 0
    assert len(findings_of(Run.named("a", settings)).trials) == (0 if bytes_here == 1 else 1)


@pytest.mark.real
def test_a_process_of_its_own_tells_why_nothing_was_begun(stub: OllamaStub, tmp_path: Path) -> None:
    settings = offline_parts(tmp_path).settings.changed(ollama_host=stub.url)
    with CalibrationProcess(settings) as process, pytest.raises(NoRegressionQuestions):
        process.calibrate(ORDER, lambda progress: None)
    with CalibrationProcess(settings) as process, pytest.raises(SettingsError):
        process.choose("absent")


def test_without_questions_nothing_is_begun(stub: OllamaStub, tmp_path: Path) -> None:
    settings = offline_parts(tmp_path).settings.changed(ollama_host=stub.url)
    with pytest.raises(NoRegressionQuestions):
        background_process.calibrate(settings, ORDER, lambda progress: None)
    assert not (settings.data_dir / "runs").exists()


def _saved(settings: Settings, *, best: bool) -> None:
    (one,) = configurations({AS_IS: MODEL}, (3,), (8192,))
    rows: Sequence[Any] = rows_of({one: (SERVING, [record(0)])}, [question(0)], Target())
    run = Run.named("monday", settings)
    run.begin({"command": "calibrate model"}, [question(0)])
    found = Findings(MODEL, True, "", tuple(rows), rows[0] if best else None, Target(), True, "monday")
    run.save_figures(asdict(found))


def test_the_winner_of_a_run_is_kept_for_the_next_start(settings: Settings) -> None:
    _saved(settings, best=True)
    assert background_process.work(settings, {"choose": "monday"}, lambda value: None) == []
    kept = json.loads((settings.data_dir / KEPT_NAME).read_text(encoding="utf-8"))
    tuned = {"flash_attention": True, "kv_cache_type": "f16", "batch_tokens": None, "model_threads": None}
    assert kept == {"model": MODEL, "thinking": "off", "parallel_slots": 3, "context_tokens": 8192, **tuned}


@pytest.mark.parametrize("run", ["absent", "monday"])
def test_a_run_that_is_not_there_or_chose_nothing_changes_nothing(settings: Settings, run: str) -> None:
    _saved(settings, best=False)
    with pytest.raises(SettingsError, match=run):
        background_process.use_winner(settings, run)
    assert not (settings.data_dir / KEPT_NAME).exists()
