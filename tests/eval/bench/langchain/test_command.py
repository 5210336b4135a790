"""The comparison's own part with a stand-in for LangChain, and the whole with the real one."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.bench.langchain import command as langchain_command
from eval.bench.langchain.baseline import ChatModel, StockAnswer, StockPipelines, System
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet
from rag.pipeline import PipelineParts
from rag.schema import Document
from rag.settings import Settings, load_settings
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, offline_parts


class FakeStock:
    """Stands in for LangChain: always finds and says the same."""

    def search(self, system: System, question: str) -> tuple[str, ...]:
        return ("kettle.md", "returns.md")

    def answering(self, system: System, model: ChatModel) -> Callable[[str], StockAnswer]:
        return lambda question: StockAnswer("It is 30 days.", ("returns.md",), "within 30 days", 200, 5)


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    load_settings.cache_clear()
    path = tmp_path / "asked.jsonl"
    row = {"id": "a", "question": "How long can I send back an item?", "relevant": ["returns.md"]}
    path.write_text(json.dumps(row | {"answers": ["30 days"]}) + "\n", encoding="utf-8")
    yield path
    load_settings.cache_clear()


@pytest.fixture
def faked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Document]]:
    """The documents that the stand-in was given, which are those of the knowledge base."""
    given: list[Sequence[Document]] = []
    parts = offline_parts(tmp_path / "data")

    def stock(documents: Sequence[Document], embedder_folder: Path, vectors_folder: Path | None) -> FakeStock:
        given.append(documents)
        return FakeStock()

    def opened(one: QuestionSet, settings: Settings, progress: Progress) -> PipelineParts:
        return parts

    monkeypatch.setattr(langchain_command, "StockPipelines", stock)
    monkeypatch.setattr(langchain_command, "reference_folder", lambda settings: tmp_path)
    monkeypatch.setattr(langchain_command, "open_embedder", lambda settings: HashEmbedder())
    monkeypatch.setattr(langchain_command, "open_parts", opened)
    return given


@pytest.mark.slow
def test_every_system_finds_and_answers_the_same_questions(
    questions: Path, faked: list[Sequence[Document]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "figures.json"
    options = ["compare", "langchain", "--questions", str(questions), "--answers", "--run", "lc"]
    assert main([*options, "--json", str(written)]) == 0
    saved = json.loads(written.read_text("utf-8"))
    systems = {"answerdesk", "langchain-faiss", "langchain-ensemble"}
    assert saved["retrieval"].keys() == saved["answers"].keys() == systems
    assert saved["retrieval"]["langchain-faiss"]["recall_at_1"] == 0.0
    assert saved["retrieval"]["langchain-faiss"]["mrr_at_10"] == 0.5
    assert saved["answers"]["langchain-ensemble"]["accuracy"] == 1.0
    assert saved["answers"]["langchain-ensemble"]["tokens"]["prompt"] == 200.0
    assert {one.document_id for one in faked[0]} == {one.document_id for one in SAMPLE_DOCUMENTS}
    capsys.readouterr()
    assert main(["compare", "lc/langchain-faiss", "lc/answerdesk"]) == 0
    assert "recall_at_1" in capsys.readouterr().out


def test_what_is_not_installed_is_one_sentence(
    questions: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(langchain_command, "find_spec", lambda name: None)
    assert main(["compare", "langchain", "--questions", str(questions)]) == 2
    said = capsys.readouterr().err
    assert "answerdesk[compare]" in said
    assert said.count("\n") == 1


@pytest.mark.real
@pytest.mark.nightly
def test_langchain_itself_finds_a_passage() -> None:
    pytest.importorskip("rank_bm25", reason="the extra [compare] is not installed")
    settings = load_settings()
    stock = StockPipelines(SAMPLE_DOCUMENTS, langchain_command.reference_folder(settings))
    assert stock.chunks == len(SAMPLE_DOCUMENTS)
    for system in langchain_command.SYSTEMS:
        assert stock.search(system, "How much citric acid goes into the kettle?")[0] == "kettle.md"
