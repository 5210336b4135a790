"""The command's options, and what it does with the winner."""

import io
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from eval import __main__ as command
from eval.answers.asking import RECORDS
from eval.calibrate_model import sandbox_ollama as workshop_module
from eval.calibrate_model.calibration import Calibration, CalibrationOptions
from eval.calibrate_model.report import Findings
from eval.calibrate_model.results import Configuration, Target, rows_of
from eval.calibrate_model.sandbox_ollama import AS_IS, Workshop, subject
from eval.commands import calibrate_model as command_module
from eval.core.question_sets import QuestionSet
from eval.core.runs import Run
from rag.errors import ModelUnfit, SettingsError
from rag.ollama.client import OllamaClient
from rag.settings import KEPT_NAME, Settings
from tests.eval.calibrate_model.records import SERVING, question, record
from tests.ollama_stub import OllamaStub

MODEL = "team:7b"


@pytest.fixture
def stub(tmp_path: Path) -> Any:
    blob = tmp_path / "sha256-ab"
    blob.write_bytes(b"GGUF")
    with OllamaStub(models=[MODEL]) as server:
        server.details_of[MODEL] = {"modelfile": f"# FROM {MODEL}\n\nFROM {blob}\nTEMPLATE x"}
        yield server


def calibration(stub: OllamaStub, folder: Path) -> tuple[Calibration, Findings]:
    settings = Settings(data_dir=folder / "data", ollama_host=stub.url)
    of_desk = subject(OllamaClient(stub.url), MODEL)
    one = Configuration(AS_IS, MODEL, 2, 8192)
    rows = rows_of({one: (SERVING, [record(0)])}, [question(0)], Target())
    findings = Findings(MODEL, False, "", tuple(rows), rows[0], Target(), True, "monday")
    run = Calibration(
        options=CalibrationOptions(),
        one=cast("Any", None), subject=of_desk, store=cast("Any", None), embedder=cast("Any", None),
        kept=Run(folder / "run"), workshop=Workshop(folder / "workshop", settings, "en"),
        deadline=0.0,
    )  # fmt: skip
    return run, findings


def offer(run: Calibration, findings: Findings, *, agreed: bool) -> str:
    """Return what the command says when it offers the winner."""
    console = Console(file=io.StringIO())
    command_module.offer_winner(run, findings, console, agreed=agreed)
    return cast("io.StringIO", console.file).getvalue()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--quantizations", "q4_1"], "cannot be quantized to q4_1"),
        (["--slots", "0"], "--slots"),
        (["--contexts", "many"], "--contexts"),
        (["--minutes", "-1"], "--minutes"),
        (["--knobs", "fan"], "--knobs fan: flash, kv, batch, threads, none"),
    ],
)
def test_bad_options_are_one_sentence(options: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["calibrate", "model", *options])
    assert reason in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        command.main(["calibrate", "model", "--help"])
    assert "python -m eval calibrate model --run monday --yes" in capsys.readouterr().out


@pytest.mark.slow
def test_the_winner_is_written_where_the_product_reads_it(stub: OllamaStub, tmp_path: Path) -> None:
    run, findings = calibration(stub, tmp_path)
    said = offer(run, findings, agreed=True)
    kept = json.loads((tmp_path / "data" / KEPT_NAME).read_text(encoding="utf-8"))
    tuned = {"flash_attention": True, "kv_cache_type": "f16", "batch_tokens": None, "model_threads": None}
    assert kept == {"model": MODEL, "thinking": "off", "parallel_slots": 2, "context_tokens": 8192, **tuned}
    assert f"{MODEL} with 2 slots of 8,192 tokens" in said


@pytest.mark.slow
def test_nothing_is_written_without_a_yes(stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, findings = calibration(stub, tmp_path)
    assert "--run monday --yes" in offer(run, findings, agreed=False)  # nobody to ask

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    offer(run, findings, agreed=False)
    assert not (tmp_path / "data" / KEPT_NAME).exists()
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    offer(run, findings, agreed=False)
    assert (tmp_path / "data" / KEPT_NAME).exists()


@pytest.mark.slow
@pytest.mark.parametrize(("amx", "own"), [(False, ()), (True, ("q4_0",))])
def test_a_quantized_model_is_tried_as_it_is_unless_an_f16_may_be_reconstructed(
    stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, amx: bool, own: tuple[str, ...]
) -> None:
    monkeypatch.setattr("eval.calibrate_model.calibration.has_amx", lambda: amx)
    run, _ = calibration(stub, tmp_path)
    assert run.kinds == (AS_IS,)
    with pytest.raises(SettingsError, match="--reconstruct"):
        run.workshop.prepare(run.subject, ("q8_0",), 0.0, reconstruct=False)
    assert replace(run, options=CalibrationOptions(reconstruct=True)).kinds == ("q8_0", "q4_K_M", "q4_K_S", *own)


@pytest.mark.slow
def test_without_any_time_what_was_measured_before_still_counts(
    stub: OllamaStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = calibration(stub, tmp_path)
    monkeypatch.setattr(Workshop, "prepare", lambda *_, **__: {AS_IS: MODEL})
    earlier = Configuration(AS_IS, MODEL, 1, 4096)
    run.kept.folder.mkdir()
    run = replace(run, one=QuestionSet("mine", None, (question(0), question(1))), deadline=time.monotonic() - 1)
    assert run.measure() == ({}, False)
    (run.kept.folder / f"served-{earlier.key}.json").write_text(json.dumps(asdict(SERVING)), encoding="utf-8")
    records = RECORDS.dump_json(record(0)).decode() + "\n"
    (run.kept.folder / f"records-{earlier.key}.jsonl").write_text(records, encoding="utf-8")
    found, whole = run.measure()
    assert found == {earlier: (SERVING, [record(0)])}
    assert not whole


def test_a_model_whose_file_cannot_be_read_is_refused(stub: OllamaStub, tmp_path: Path) -> None:
    stub.details_of[MODEL] = {"modelfile": "FROM /absent/sha256-ab"}
    with pytest.raises(ModelUnfit, match="/absent/sha256-ab"):
        subject(OllamaClient(stub.url), MODEL)
    stub.details_of[MODEL] = {"template": "{{ .Prompt }}"}
    with pytest.raises(ModelUnfit, match="no chat template"):
        subject(OllamaClient(stub.url), MODEL)


def test_the_workshops_server_is_tuned_by_the_configuration_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    seen: dict[str, str | None] = {}

    def running(settings: Settings, *, while_we_live: bool) -> None:
        assert while_we_live
        seen.update({name: os.environ.get(name) for name in ("OLLAMA_NUM_PARALLEL", "OLLAMA_MODELS", "OLLAMA_HOST")})
        seen["url"] = settings.ollama_url

    monkeypatch.setenv("OLLAMA_NUM_PARALLEL", "9")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:11434")
    monkeypatch.setattr(workshop_module, "ensure_running", running)
    monkeypatch.setattr(workshop_module, "stop", lambda settings: "stopped")
    shop = Workshop(tmp_path / "shop", Settings(data_dir=tmp_path), "en")
    with shop.server(3, 8192, MODEL) as own:
        assert (own.parallel_slots, own.context_tokens, own.model) == (3, 8192, MODEL)
    assert seen["OLLAMA_NUM_PARALLEL"] is None
    assert seen["OLLAMA_HOST"] is None
    assert seen["OLLAMA_MODELS"] == str(tmp_path / "shop" / "models")
    assert seen["url"] != "http://127.0.0.1:11434"
    assert os.environ["OLLAMA_NUM_PARALLEL"] == "9"
