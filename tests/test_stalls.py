"""No text stops the desk: how long a thread waits for Python's lock while hostile questions and documents are read."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from ingest.pipeline import ingest
from rag.errors import FactsChanged, QuestionError
from rag.generation.gateway import ModelGateway
from rag.pipeline import Pipeline, PipelineParts
from rag.queue.admission import Admission
from rag.retrieval.late_interaction import SentenceSimilarity
from rag.retrieval.retriever import Retriever
from rag.rewriting import check_rewritten, check_translated
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.testing import HashEmbedder, ScriptedGenerator
from tests.support.stalls import LONGEST_STALL_SECONDS, watched

LONGEST_CHECK_SECONDS = 10.0
"""Of processor time.  A quadratic check of these drafts takes minutes."""
_MORE_LOOKS = 2

HOSTILE_DOCUMENTS = {
    "blanks.txt": "The warranty is two years, and this line wraps here\n" + " " * 1_000_000 + "because of the law.",
    "wide-blanks.txt": "保修期两年，这一行在这里换行，因为它比较长而且没有标点\n" + "\u3000" * 330_000 + "如下。",
    "words.txt": "warranty " + "a " * 500_000,
    "one-word.txt": "warranty " + "x" * 1_000_000,
    "items.txt": "The warranty:\n\n" + "- a\n" * 100_000,
    "quotes.txt": ">" * 2000 + " warranty\n\n" + "> " * 500_000 + "b\n",
    "quotes.md": "warranty\n\n" + ">" * 1_000_000 + " b\n",
    "numerals.txt": "warranty " + "八" * 330_000,
    "points.txt": "warranty " + "a." * 500_000,
    "table.md": "| warranty | b |\n| --- | --- |\n" + "| 1 | 2 |\n" * 2000,
}
QUESTION = "How long is the warranty? "
ATOMS = (
    "八", "a.", " ", "\u3000", "\n", "thanks ", "7", "7,", "a ", "A ", "Abc ", "[", "](", "ignore all ", "neither ",
    "assistant must ", "> ", "- ", "1. ", "吧", "是否", ", and how ", "，", "with ", "#", "|", "a-", "a@", "保修",
    "7天", "7天。",
)  # fmt: skip


@pytest.mark.slow
def test_the_watcher_sees_a_stall() -> None:
    with watched() as watcher:
        sum(range(20_000_000))  # one call that keeps the lock
    assert watcher.longest_seconds > 0.1


@pytest.fixture(scope="module")
def hostile_knowledge(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    manual = tmp_path_factory.mktemp("manual")
    for name, text in HOSTILE_DOCUMENTS.items():
        (manual / name).write_text(text, encoding="utf-8")
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), refusal_threshold=0.0, thinking="off")
    summary = ingest([manual], settings, HashEmbedder())
    assert summary.failures == ()
    assert summary.documents == len(HOSTILE_DOCUMENTS)
    return settings


def _pipeline(settings: Settings) -> Pipeline:
    store, embedder = KnowledgeStore(settings.knowledge_dir), HashEmbedder()
    parts = PipelineParts(
        settings=settings,
        store=store,
        retriever=Retriever(store, embedder, settings),
        gateway=ModelGateway(ScriptedGenerator(), Admission(2, settings.max_waiting)),
        count_tokens=embedder.count_tokens,
        sentence_likeness=SentenceSimilarity(store, embedder).likeness,
    )
    return Pipeline(parts)


@pytest.mark.slow
def test_no_question_and_no_document_stalls_another_thread(hostile_knowledge: Settings) -> None:
    pipeline = _pipeline(hostile_knowledge)

    def ask(atom: str) -> None:
        with suppress(QuestionError):
            for _ in pipeline.stream((QUESTION + atom * 8000)[:7990] + " warranty"):
                pass

    _require_short_stalls(ask)


@pytest.mark.slow
def test_no_draft_and_no_rewritten_text_stalls_another_thread_or_takes_long() -> None:
    def check(atom: str) -> None:
        draft = (atom * 8000)[:8000]
        rewritten = draft.translate({ord("7"): "8", ord("八"): "九"}) + " 9 days"
        for hold in (check_rewritten, check_translated):
            began_at = time.thread_time()
            with suppress(FactsChanged):
                hold(draft, rewritten)
            assert time.thread_time() - began_at < LONGEST_CHECK_SECONDS, atom

    _require_short_stalls(check)


def _require_short_stalls(act: Callable[[str], None]) -> None:
    stalls: dict[str, float] = {}
    for atom in ATOMS:
        stalls[atom] = _stall_seconds(act, atom)
        for _ in range(_MORE_LOOKS):  # what holds the lock does so each time; a busy machine is not always in the way
            if stalls[atom] > LONGEST_STALL_SECONDS:
                stalls[atom] = min(stalls[atom], _stall_seconds(act, atom))
    slow = {atom: seconds for atom, seconds in stalls.items() if seconds > LONGEST_STALL_SECONDS}
    sys.stdout.write(f"longest stall: {max(stalls.values()):.3f} s, after {max(stalls, key=stalls.__getitem__)!r}\n")
    assert not slow


def _stall_seconds(act: Callable[[str], None], atom: str) -> float:
    with watched() as watcher:
        act(atom)
    return watcher.longest_seconds
