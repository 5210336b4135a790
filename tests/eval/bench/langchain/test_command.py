"""What the comparison measures, each system in its own run; and how the tutorial is asked a desk's cases."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.bench.langchain import command as langchain_command
from eval.bench.langchain.baseline import ChatModel, StockAnswer, StockPipelines, System
from eval.core.progress import Progress
from eval.core.question_sets import QuestionSet
from eval.desk.cases import DeskCase
from rag.pipeline import PipelineParts
from rag.schema import Document
from rag.settings import Settings, load_settings
from rag.testing import SAMPLE_DOCUMENTS, HashEmbedder, offline_parts

CASE = DeskCase("c", "en", "followup", ("I bought a lamp.", "How long can I return it?"), True, (("30 days",),))


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


class FakeTutorial:
    """Finds one document and repeats it."""

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.asked: list[str] = []

    def context(self, system: System, question: str) -> tuple[tuple[str, ...], str]:
        self.asked.append(question)
        return ("returns.md",), "within 30 days"

    def answering(self, system: System, model: ChatModel) -> Callable[[str], StockAnswer]:
        def answer(question: str) -> StockAnswer:
            return StockAnswer(self.reply, *self.context(system, question), 200, 10)

        return answer


def _open(
    folder: Path, monkeypatch: pytest.MonkeyPatch, reply: str, *, with_model: bool
) -> tuple[FakeTutorial, langchain_command.Tutorial]:
    stock = FakeTutorial(reply)
    monkeypatch.setattr(langchain_command, "require_extra", lambda: None)
    monkeypatch.setattr(langchain_command, "stock_pipelines", lambda parts, folder: stock)
    return stock, langchain_command.open_tutorial(offline_parts(folder), with_model=with_model, think=None)


def test_all_turns_are_asked_as_one_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stock, ask = _open(tmp_path, monkeypatch, "Within 30 days.", with_model=True)
    record = ask(CASE)
    assert stock.asked == ["I bought a lamp.\nHow long can I return it?"]
    assert record.answer is not None
    assert (record.arm, record.answer.text, record.answer.refused) == ("langchain", "Within 30 days.", False)
    assert (record.sent.documents, record.sent.text, record.sent.tokens) == (("returns.md",), "within 30 days", 3)


def test_without_the_model_only_its_search_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stock, ask = _open(tmp_path, monkeypatch, "", with_model=False)
    record = ask(CASE)
    assert (record.answer, record.sent.text, len(stock.asked)) == (None, "within 30 days", 1)


@pytest.mark.parametrize(
    ("reply", "refused"),
    [
        ("I don't know.", True),
        ("I'm sorry, but I don’t know the answer.", True),
        ("抱歉，我不知道。", True),
        ("The documents do not mention it.", True),
        ("Within 30 days. I don't know more.", False),
    ],
)
def test_not_knowing_is_a_refusal(reply: str, refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ask = _open(tmp_path, monkeypatch, reply, with_model=True)
    answer = ask(CASE).answer
    assert answer is not None
    assert answer.refused is refused


@pytest.mark.real
@pytest.mark.nightly
def test_what_was_embedded_once_is_not_embedded_again(tmp_path: Path) -> None:
    pytest.importorskip("rank_bm25", reason="the extra [compare] is not installed")
    from rag.retrieval.model_folders import reference_folder
    from rag.settings import load_settings

    embedder = reference_folder(load_settings())
    first = StockPipelines(SAMPLE_DOCUMENTS, embedder, tmp_path)
    (kept,) = tmp_path.glob("*.npy")
    written = kept.stat().st_mtime_ns
    again = StockPipelines(SAMPLE_DOCUMENTS, embedder, tmp_path)
    question = "How much citric acid goes into the kettle?"
    assert first.context("faiss", question) == again.context("faiss", question)
    assert again.context("faiss", question)[0][0] == "kettle.md"
    assert (kept.stat().st_mtime_ns, len(list(tmp_path.glob("*.npy")))) == (written, 1)
