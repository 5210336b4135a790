"""LangChain's tutorial on desk cases: what it sends, what it says, and that "I don't know" is a refusal."""

from collections.abc import Callable
from pathlib import Path

import pytest

from eval.bench.langchain import desk as langchain_desk
from eval.bench.langchain.baseline import ChatModel, StockAnswer, StockPipelines, System
from eval.desk.cases import DeskCase
from rag.testing import SAMPLE_DOCUMENTS, offline_parts

CASE = DeskCase("c", "en", "followup", ("I bought a lamp.", "How long can I return it?"), True, (("30 days",),))


class FakeStock:
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
) -> tuple[FakeStock, langchain_desk.Tutorial]:
    stock = FakeStock(reply)
    monkeypatch.setattr(langchain_desk, "require_extra", lambda: None)
    monkeypatch.setattr(langchain_desk, "stock_pipelines", lambda parts, folder: stock)
    return stock, langchain_desk.open_tutorial(offline_parts(folder), with_model=with_model, think=None)


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
