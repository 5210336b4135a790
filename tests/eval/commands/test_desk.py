"""The command from arguments to figures: a real knowledge base, a scripted model."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from eval import __main__ as command
from eval.commands import desk as desk_command
from eval.desk import measurement
from rag.errors import BenchmarkMissing
from rag.pipeline import PipelineParts
from rag.settings import load_settings
from rag.testing import HashEmbedder, ScriptedGenerator, offline_parts

pytestmark = pytest.mark.usefixtures("own_data_folder")

CASES = (
    {
        "id": "returns", "lang": "en", "kind": "mail", "must_contain_any": [["30 days"]], "gold_docs": ["returns.md"],
        "turns": [{"user": "Hello, within how many days of delivery can I send back any item?"}],
    },
    {
        "id": "card", "lang": "zh", "kind": "followup", "must_contain_any": [["3-7 个工作日"]],
        "gold_docs": ["refund.md"], "turns": [{"user": "退款多久到账？"}, {"user": "信用卡呢？"}],
    },
    {"id": "bananas", "lang": "en", "kind": "unanswerable_far", "answerable": False,
     "turns": [{"user": "Do you sell bananas?"}]},
)  # fmt: skip


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in CASES), encoding="utf-8")
    return path


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PipelineParts:
    offline = offline_parts(tmp_path / "offline", generator=ScriptedGenerator())
    monkeypatch.setattr(desk_command, "open_desk_parts", lambda documents, settings, progress: offline)
    return offline


@pytest.mark.slow
def test_before_the_model_nothing_is_asked(
    cases: Path, parts: PipelineParts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    assert command.main(["desk", "--cases", str(cases), "--no-model", "--json", str(figures)]) == 0
    saved = json.loads(figures.read_text("utf-8"))
    assert (saved["n"], saved["answerable"], saved["facts_shown"], saved["right"]) == (3, 2, 2, None)
    generator = parts.gateway.generator
    assert isinstance(generator, ScriptedGenerator)
    assert generator.calls == []
    printed = capsys.readouterr().out
    assert "facts sent to the model" in printed
    assert "no model was called" in printed


@pytest.mark.slow
def test_with_the_model_a_run_goes_on_and_its_answers_are_written(
    cases: Path, parts: PipelineParts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers, figures = tmp_path / "answers.jsonl", tmp_path / "figures.json"
    argv = ["desk", "--cases", str(cases), "--run", "monday", "--answers", str(answers), "--json", str(figures)]
    assert command.main(argv) == 0
    generator = parts.gateway.generator
    assert isinstance(generator, ScriptedGenerator)
    asked = len(generator.calls)
    assert asked == 3
    lines = [json.loads(line) for line in answers.read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["returns", "card", "bananas"]
    assert set(lines[0]) == {"id", "text", "refused", "partial", "citations"}
    assert lines[0]["citations"][0] == {
        "document_path": "/sample/returns.md",
        "quote": "You can send back any item within 30 days of delivery.",
    }
    assert json.loads(figures.read_text("utf-8"))["right"] == 1, "this model repeats a document's first line"
    assert "a stand-in" in capsys.readouterr().out
    assert command.main(argv) == 0
    assert len(generator.calls) == asked, "the run holds every answer already"
    assert "退款多久到账" in generator.calls[1][-1].content, "a follow-up is asked behind the turn before"


@pytest.mark.slow
def test_two_runs_are_compared_and_reported_with_their_arms(
    cases: Path, parts: PipelineParts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, options in (("searched", ["--no-model"]), ("answered", ["--ceiling"])):
        assert command.main(["desk", "--cases", str(cases), "--run", name, *options]) == 0
    capsys.readouterr()
    assert command.main(["compare", "searched", "answered"]) == 0
    assert "No question differs in facts_sent" in capsys.readouterr().out
    assert command.main(["compare", "answered:ceiling", "answered"]) == 0
    assert "No question differs in right" in capsys.readouterr().out
    assert command.main(["compare", "answered:langchain", "answered"]) == 2
    assert "no answers of langchain" in capsys.readouterr().err
    assert command.main(["compare", "answered:floor", "answered"]) == 2
    page = tmp_path / "page.html"
    for language, title in (("en", "Where right answers are lost (3 cases)"), ("zh", "正确回答丢在哪一步（3 个用例）")):
        assert command.main(["report", "searched", "answered", "--html", str(page), "--language", language]) == 0
        written = page.read_text("utf-8")
        assert title in written
        assert "unanswerable_far" in written
        assert "<details>" in written, "what was lost is told case by case"


@pytest.mark.slow
def test_cases_are_checked_against_the_documents(
    cases: Path, parts: PipelineParts, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["desk", "--cases", str(cases), "--check"]) == 0
    assert "The documents decide all 3 cases." in capsys.readouterr().out
    cases.write_text(json.dumps(CASES[0] | {"gold_docs": ["gone.md"]}), encoding="utf-8")
    assert command.main(["desk", "--cases", str(cases), "--check"]) == 2
    told = capsys.readouterr()
    assert "returns: there is no document gone.md" in told.out
    assert "1 case of" in told.err


@pytest.mark.slow
def test_without_the_source_checkout_the_tutorial_is_said_to_be_missing(
    cases: Path, parts: PipelineParts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> ModuleType:
        raise BenchmarkMissing(name="langchain")

    monkeypatch.setattr(desk_command, "benchmark_module", missing)
    assert command.main(["desk", "--cases", str(cases), "--no-model", "--against", "langchain"]) == 2
    assert "source checkout" in capsys.readouterr().err


def test_what_cannot_be_done_is_said_in_a_sentence(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["desk", "--cases", str(cases), "--no-model", "--answers", "a.jsonl"]) == 2
    assert "--answers needs the model" in capsys.readouterr().err
    assert command.main(["desk", "--cases", str(cases), "--no-model", "--ceiling"]) == 2
    assert "--ceiling needs the model" in capsys.readouterr().err
    cases.write_text("{}", encoding="utf-8")
    assert command.main(["desk", "--cases", str(cases)]) == 2
    assert "cases.jsonl, line 1" in capsys.readouterr().err
    cases.write_text(json.dumps(CASES[0]), encoding="utf-8")
    assert command.main(["desk", "--cases", str(cases), "--docs", str(tmp_path / "gone")]) == 3


@pytest.mark.slow
def test_a_folder_is_ingested_once_without_what_is_about_the_folder(
    cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measurement, "open_embedder", lambda settings: HashEmbedder())
    documents = tmp_path / "docs"
    (documents / "en").mkdir(parents=True)
    (documents / "README.md").write_text("# About\n\nReturns within 30 days: test data.\n", encoding="utf-8")
    (documents / "LICENSE.md").write_text("# Licence\n\nFree for 30 days.\n", encoding="utf-8")
    (documents / "en" / "returns.md").write_text("# Returns\n\nReturns within 30 days.\n", encoding="utf-8")
    argv = ["desk", "--cases", str(cases), "--docs", str(documents), "--no-model"]
    assert command.main(argv) == 0
    assert "left out, as it is about the folder: LICENSE.md, README.md" in capsys.readouterr().out
    bases = tmp_path / "data" / "runs" / "knowledge"
    (kept,) = bases.iterdir()
    parts = measurement.open_desk_parts(documents, load_settings())
    assert list(parts.store.origins(1)) == ["en/returns.md"]
    assert [one.name for one in bases.iterdir()] == [kept.name]
    parts.store.close()
