"""How well the right documents are found: every question through the product's own ingest and retriever, no model."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.percentiles import Percentiles
from eval.retrieval.metrics import ndcg_at, recall_at, reciprocal_rank_at
from ingest.chunking import recipe
from ingest.golden import GoldenQuestion, load_questions
from ingest.pipeline import ingest
from ingest.summary import ReportProgress
from rag.answering.language import question_language
from rag.errors import SettingsError, SourceMissing
from rag.protocols import Embedder
from rag.retrieval.follow_up import in_context
from rag.retrieval.retriever import Retriever
from rag.retrieval.token_vectors import CENTRE_PATH
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from rag.tracing import Trace

CORPUS_NAME, QUESTIONS_NAME = "corpus.jsonl", "questions.jsonl"


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Documents, and questions that say which of them are relevant."""

    name: str
    corpus: Path
    questions: tuple[GoldenQuestion, ...]

    @classmethod
    def load(cls, corpus: Path, questions: Path) -> "QuestionSet":
        """Read the questions that have a relevant document.

        The set is named after the folder of a ``questions.jsonl``, else after the file.  Raises ``SettingsError`` when
        there is no such question, ``SourceMissing`` when there is no corpus.
        """
        if not corpus.exists():
            raise SourceMissing(path=corpus)
        usable = tuple(one for one in load_questions(questions) if one.answerable and one.relevant)
        if not usable:
            raise SettingsError(reason=f"no question in {questions} names a relevant document")
        name = questions.resolve().parent.name if questions.name == QUESTIONS_NAME else questions.stem
        return cls(name, corpus, usable)


def sets_in(folder: Path) -> list[QuestionSet]:
    """Return the sets of a folder: each subfolder, or itself, with a corpus and questions.

    Raises ``SettingsError`` when there is none.
    """
    corpora = [*sorted(folder.glob(CORPUS_NAME)), *sorted(folder.glob(f"*/{CORPUS_NAME}"))]
    found = [one for one in corpora if one.with_name(QUESTIONS_NAME).is_file()]
    if not found:
        raise SettingsError(reason=f"no {CORPUS_NAME} beside a {QUESTIONS_NAME} in {folder}")
    return [QuestionSet.load(corpus, corpus.with_name(QUESTIONS_NAME)) for corpus in found]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What came of one question: the documents found, best first, and how long that took in milliseconds."""

    question: GoldenQuestion
    documents: tuple[str, ...]
    duration_ms: float


def run(
    one: QuestionSet,
    settings: Settings,
    embedder: Embedder,
    *,
    ingesting: ReportProgress | None = None,
    progress: Callable[[Ranking], None] = lambda ranking: None,
) -> list[Ranking]:
    """Ingest the corpus, unless that was done before, and ask every question, one after another.

    The knowledge base stays under ``settings.data_dir / "benchmarks"`` for the next time.
    """
    place = settings.data_dir / "benchmarks" / _fingerprint(one.corpus, embedder.model_id, settings.chunk_tokens)
    own = settings.changed(data_dir=place)
    ingest([one.corpus], own, embedder, prune=True, progress=ingesting)
    return ask(one, own, embedder, progress)


def ask(
    one: QuestionSet, settings: Settings, embedder: Embedder, progress: Callable[[Ranking], None] = lambda ranking: None
) -> list[Ranking]:
    """Ask every question of the knowledge base that the settings name, one after another."""
    store = KnowledgeStore(settings.knowledge_dir)
    retriever = Retriever(store, embedder, settings)
    retriever.retrieve(one.questions[0].question, one.questions[0].language, Trace())  # the first opens the index
    rankings = []
    for question in one.questions:
        began_at = time.perf_counter()
        text = in_context(question.question, question.previous)
        retrieval = retriever.retrieve(text, question_language(question.question), Trace())
        duration_ms = (time.perf_counter() - began_at) * 1000
        documents = tuple(dict.fromkeys(found.chunk.document_id for found in retrieval.chunks))
        rankings.append(Ranking(question, documents, duration_ms))
        progress(rankings[-1])
    store.close()
    return rankings


def figures(rankings: Sequence[Ranking]) -> dict[str, object]:
    """Return the means over questions, in [0, 1], and the times of one question."""
    times = Percentiles.of([one.duration_ms for one in rankings])
    return {
        "n": len(rankings),
        **{
            name: _mean([metric(one.documents, one.question.relevant, k) for one in rankings])
            for name, metric, k in (
                ("recall_at_1", recall_at, 1),
                ("recall_at_5", recall_at, 5),
                ("recall_at_10", recall_at, 10),
                ("mrr_at_10", reciprocal_rank_at, 10),
                ("ndcg_at_10", ndcg_at, 10),
            )
        },
        "latency_ms": {"p50": times.p50, "p95": times.p95, "p99": times.p99},
    }


def summarise(by_set: dict[str, Sequence[Ranking]]) -> dict[str, object]:
    """Return the means over the sets, each counting alike, and under ``by_set`` the figures of each."""
    every = {name: figures(rankings) for name, rankings in by_set.items()}
    together = figures([ranking for rankings in by_set.values() for ranking in rankings])
    means = {
        name: _mean([float(str(one[name])) for one in every.values()])
        for name in together
        if name not in ("n", "latency_ms")
    }
    return {**together, **means, "by_set": every}


def _fingerprint(corpus: Path, model_id: str, chunk_tokens: int) -> str:
    """Name what the index depends on: the files' contents and place, the embedder, and the way of cutting."""
    digest = hashlib.sha256(f"{corpus.resolve()}\n{model_id}\n{recipe(chunk_tokens)}\n".encode())
    digest.update(CENTRE_PATH.read_bytes())
    for file in sorted(corpus.rglob("*")) if corpus.is_dir() else [corpus]:
        if file.is_file():
            digest.update(f"\n{file}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
