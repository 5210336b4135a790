"""Generations whose large part lies in an engine: what is found, what is published, and what happens without it."""

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from rag.errors import IndexDamaged, VectorEngineUnavailable, VectorEngineUnset, VectorsMissing
from rag.protocols import FloatMatrix, QueryVectors
from rag.retrieval import vector_engine
from rag.retrieval.confidence import Confidence
from rag.retrieval.filters import EVERYTHING, Filters
from rag.retrieval.generation_index import collections_of
from rag.retrieval.generation_view import GenerationView
from rag.retrieval.index_builder import IndexLimits, drop_unused_collections
from rag.retrieval.query import Query
from rag.retrieval.retriever import Retriever, search_view
from rag.retrieval.vector_engine import ChunkIds, VectorEngine
from rag.schema import Chunk, Language, Retrieval
from rag.settings import Settings
from rag.storage.store import KEPT_GENERATIONS, KnowledgeStore, engine_owner
from rag.storage.writer import KnowledgeWriter
from rag.testing import HashEmbedder
from rag.tracing import Trace
from tests.rag.retrieval.knowledge import publish
from tests.support.by_day import by_day
from tests.support.vector_engines import PATIENCE_SECONDS, MemoryEngine, opened

pytestmark = pytest.mark.slow

ENGINES = ["memory", *(pytest.param(name, marks=pytest.mark.real) for name in ("pgvector", "milvus"))]
URL = "postgresql://engine.example/vectors"
EMBEDDER = HashEmbedder(32)
MODEL = EMBEDDER.model_id
FEW = 5
DRAW = random.Random(5)
WORDS = [f"{first}{second}" for first in ("al", "be", "cor", "du") for second in ("ta", "mo", "ri", "nes", "ko", "pel")]
TEXTS: dict[str, tuple[Language, str]] = {
    f"e{number}": ("en", f"word{number % 7} {' '.join(DRAW.choices(WORDS, k=9))} fee {number}") for number in range(120)
}
TEXTS |= {f"z{number}": ("zh", f"退货 运费 {' '.join(DRAW.choices('甲乙丙丁戊己庚辛', k=6))}") for number in range(30)}
QUESTIONS: list[tuple[str, Language]] = [
    *((f"word{number} {WORDS[number]} {WORDS[-number]} fee", "en") for number in range(7)),
    *((f"运费 {words}", "zh") for words in ("甲乙", "丙己", "庚辛丁")),
]
COVERED = Confidence(intercept=-2.0, weights={"coverage": 6.0}, threshold=0.5)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryEngine:
    engine = MemoryEngine()
    monkeypatch.setitem(vector_engine._engines, URL, engine)
    return engine


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[VectorEngine]:
    with opened(request) as engine:
        yield engine


def limits(engine: VectorEngine, merge_share: float = 0.5) -> IndexLimits:
    return IndexLimits(FEW, merge_share, engine)


def publish_in(
    folder: Path,
    engine: VectorEngine | None,
    texts: Mapping[str, tuple[Language, str]],
    *retire: str,
    share: float = 0.5,
) -> int:
    here = IndexLimits(len(TEXTS), share)
    return publish(folder, texts, EMBEDDER, retire=retire, limits=here if engine is None else limits(engine, share))


def view_of(folder: Path, generation: int, engine: VectorEngine | None) -> GenerationView:
    return GenerationView.open(KnowledgeStore(folder), generation, MODEL, engine=engine)


def found(view: GenerationView, folder: Path, question: tuple[str, Language]) -> list[tuple[Chunk, float]]:
    """Return the chunks in the question's language with their scores: to a fake embedder all others are alike."""
    text, language = question
    query = Query.of(text, language, EMBEDDER.embed_queries([text]))
    chunks = search_view(view, KnowledgeStore(folder), query, len(TEXTS)).chunks
    return [(one.chunk, one.score) for one in chunks if one.chunk.language == language]


def test_an_engine_searches_both_languages_at_once(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    class MeetingEngine(MemoryEngine):
        def nearest(self, collection: str, query: FloatMatrix, limit: int, among: ChunkIds | None = None) -> ChunkIds:
            both.wait(PATIENCE_SECONDS)
            return super().nearest(collection, query, limit, among)

    engine = MeetingEngine()
    view = view_of(tmp_path, publish_in(tmp_path, engine, TEXTS), engine)
    assert found(view, tmp_path, QUESTIONS[0])
    assert not both.broken


def collections(folder: Path, generation: int) -> set[str]:
    return collections_of(KnowledgeStore(folder).generation_folder(generation))


def assert_as_in_memory(folder: Path, generation: int, engine: VectorEngine, other: Path) -> None:
    """The same chunks with the same scores are found as where all vectors are here, whatever the filters leave."""
    here, there = view_of(other, generation, None), view_of(folder, generation, engine)
    filters = [
        EVERYTHING,
        Filters(language="en"),
        Filters(without=frozenset(f"e{number}" for number in range(0, 120, 2))),
    ]
    filters += [Filters(without=frozenset(f"e{number}" for number in range(110))), Filters(since=date(2026, 1, 1))]
    for text, language in QUESTIONS:
        query = EMBEDDER.embed_queries([text]).vectors
        for one in filters:
            mine, its = there.only(KnowledgeStore(folder), one), here.only(KnowledgeStore(other), one)
            assert mine.vectors.keys() == its.vectors.keys()
            if language not in its.vectors:
                continue
            expected, got = (view.vectors[language].search(query, 20) for view in (its, mine))
            assert [hit.score for hit in got] == pytest.approx([hit.score for hit in expected], abs=1e-6)
            least = expected[-1].score + 1e-6 if expected else 0.0  # where others are as near
            assert {hit.chunk_id for hit in got if hit.score > least} == {
                hit.chunk_id for hit in expected if hit.score > least
            }


def test_generation_after_generation_finds_what_one_in_memory_finds(tmp_path: Path, engine: VectorEngine) -> None:
    folder, other = tmp_path / "engine", tmp_path / "memory"
    steps: list[tuple[dict[str, tuple[Language, str]], tuple[str, ...]]] = [
        (TEXTS, ()),
        ({"e3": ("en", "word3 is free now"), "new": ("zh", "新的 运费")}, ("e5", "z1")),
        ({"e3": ("en", "word3 costs a fee again")}, ("new", "e10", "e17")),
    ]
    for texts, retire in steps:
        generation = publish_in(folder, engine, texts, *retire)
        publish_in(other, None, texts, *retire)
        assert_as_in_memory(folder, generation, engine, other)
    assert collections(folder, 3) == collections(folder, 1), "small changes leave the base where it is"
    assert sorted(engine.collections(engine_owner(folder))) == sorted(collections(folder, 1))
    assert len(collections(folder, 1)) == 2
    assert not list(KnowledgeStore(folder).generation_folder(3).glob("*-base.faiss"))
    assert_as_in_memory(folder, 1, engine, other)
    assert_as_in_memory(folder, 2, engine, other)


def test_what_no_kept_generation_names_is_deleted(tmp_path: Path, engine: VectorEngine) -> None:
    neighbour = tmp_path / "neighbour"
    publish_in(neighbour, engine, TEXTS)
    folder = tmp_path / "own"
    for number in range(KEPT_GENERATIONS + 2):
        publish_in(folder, engine, TEXTS if number == 0 else {f"n{number}": ("en", f"word{number}")}, share=0.0)
        with KnowledgeWriter(folder) as writer:
            writer.delete_older()
        drop_unused_collections(folder, engine)
    newest = KEPT_GENERATIONS + 2
    kept = set().union(*(collections(folder, number) for number in range(3, newest + 1)))
    assert set(engine.collections(engine_owner(folder))) == kept
    assert len(kept) == KEPT_GENERATIONS + 1, "the Chinese base is made anew as well, and has the same content"
    assert set(engine.collections(engine_owner(neighbour))) == collections(neighbour, 1)
    assert found(view_of(folder, 3, engine), folder, QUESTIONS[0])


def test_a_killed_publication_is_taken_up_or_deleted(tmp_path: Path, memory: MemoryEngine) -> None:
    """What was filled before the kill is not filled again where it is still what is wanted."""
    publish_in(tmp_path, memory, TEXTS)
    writer = KnowledgeWriter(tmp_path)
    filled = memory.filled
    memory.held["vectors_" + engine_owner(tmp_path) + "_" + "ab" * 8] = next(iter(memory.held.values()))
    writer.begin()
    writer.close()
    publish_in(tmp_path, memory, {"e3": ("en", "other")})
    drop_unused_collections(tmp_path, memory)
    assert memory.filled == filled
    assert set(memory.held) == collections(tmp_path, 2)


def test_an_engine_that_was_named_changed_or_emptied_gets_the_vectors_with_the_next_generation(tmp_path: Path) -> None:
    first, second = MemoryEngine("first"), MemoryEngine("second")
    publish_in(tmp_path, None, TEXTS)
    assert collections(tmp_path, 1) == set()
    publish_in(tmp_path, first, {"e3": ("en", "other")})
    assert set(first.held) == collections(tmp_path, 2)
    publish_in(tmp_path, second, {"e4": ("en", "other")})
    assert set(second.held) == collections(tmp_path, 3)
    second.held.clear()
    publish_in(tmp_path, second, {"e5": ("en", "other")})
    assert set(second.held) == collections(tmp_path, 4)
    publish_in(tmp_path, None, {"e6": ("en", "other")})
    assert collections(tmp_path, 5) == set()
    assert found(view_of(tmp_path, 5, None), tmp_path, QUESTIONS[0])


def test_while_an_engine_is_away_nothing_is_published(tmp_path: Path, memory: MemoryEngine) -> None:
    publish_in(tmp_path, memory, TEXTS)
    memory.failing = VectorEngineUnavailable(server="memory", reason="away")
    with pytest.raises(VectorEngineUnavailable):
        publish_in(tmp_path, memory, {"e3": ("en", "other")})
    assert KnowledgeStore(tmp_path).current_generation() == 1


def test_small_languages_stay_here(tmp_path: Path, memory: MemoryEngine) -> None:
    publish(tmp_path, TEXTS, EMBEDDER, limits=IndexLimits(50, 0.5, memory))
    assert [name for name in sorted(path.name for path in (tmp_path / "generations" / "000001").glob("*.faiss"))] == [
        "zh-base.faiss"
    ]
    assert len(memory.held) == 1


def test_without_the_setting_it_is_said_what_is_missing(tmp_path: Path, memory: MemoryEngine) -> None:
    settings = Settings(data_dir=tmp_path)
    publish_in(settings.knowledge_dir, memory, TEXTS)
    retriever = Retriever(KnowledgeStore(settings.knowledge_dir), EMBEDDER, settings)
    with pytest.raises(VectorEngineUnset, match="ANSWERDESK_VECTOR_URL"):
        retriever.retrieve("word3", "en", Trace())


@pytest.fixture
def retriever(tmp_path: Path, memory: MemoryEngine) -> Retriever:
    settings = Settings(data_dir=tmp_path, vector_url=URL)
    publish_in(settings.knowledge_dir, memory, TEXTS)
    return Retriever(KnowledgeStore(settings.knowledge_dir), EMBEDDER, settings, COVERED)


@pytest.mark.parametrize(
    "error", [VectorEngineUnavailable(server="memory", reason="slow"), VectorsMissing(server="memory", reason="none")]
)
def test_while_it_fails_words_find_and_the_result_says_so(
    retriever: Retriever, memory: MemoryEngine, error: Exception
) -> None:
    whole = retriever.retrieve("word3 fee 17", "en", Trace())
    assert whole.problem is None
    memory.failing = error  # type: ignore[assignment]
    half = retriever.retrieve("word3 fee 17", "en", Trace())
    assert half.problem is error
    assert half.answerable
    assert half.chunks[0].chunk == whole.chunks[0].chunk
    assert all(one.bm25 is not None and one.cosine is not None and one.late is not None for one in half.chunks)
    assert retriever.retrieve("nothing of this", "en", Trace()).problem is error
    with pytest.raises(type(error)):
        retriever.find("word3 fee 17", "en", Trace())
    memory.failing = None
    assert retriever.retrieve("word3 fee 17", "en", Trace()).chunks == whole.chunks


def test_what_came_since_is_found_by_meaning_also_then(
    retriever: Retriever, memory: MemoryEngine, tmp_path: Path
) -> None:
    folder = Settings(data_dir=tmp_path).knowledge_dir
    publish_in(folder, memory, {"fresh": ("en", "umbrellas")})
    memory.failing = VectorEngineUnavailable(server="memory", reason="away")
    found_now = retriever.retrieve("zzz", "en", Trace())
    assert [one.chunk.document_id for one in found_now.chunks] == ["fresh"]
    assert found_now.problem is memory.failing


def publish_stamped(folder: Path, engine: VectorEngine, number: int) -> None:
    """Replace every document by one that names the generation, and delete what no kept generation needs."""
    texts: dict[str, tuple[Language, str]] = {
        f"e{row}": ("en", f"stamp {number} word{row % 7} fee {row}") for row in range(60)
    }
    assert publish_in(folder, engine, texts, share=0.0) == number
    with KnowledgeWriter(folder) as writer:
        writer.delete_older()
    drop_unused_collections(folder, engine)


class PublishingEmbedder(HashEmbedder):
    """While a question is embedded, so many generations are published that its own is deleted; up to ``times``."""

    def __init__(self, folder: Path, engine: VectorEngine, times: int) -> None:
        super().__init__(EMBEDDER.dimension)
        self._folder, self._engine, self._times = folder, engine, times

    def embed_queries(self, texts: Sequence[str]) -> QueryVectors:
        if self._times:
            self._times -= 1
            newest = KnowledgeStore(self._folder).current_generation()
            for number in range(newest + 1, newest + 1 + KEPT_GENERATIONS):
                publish_stamped(self._folder, self._engine, number)
        return super().embed_queries(texts)


def retrieve_overtaken(data_dir: Path, engine: VectorEngine, times: int) -> Retrieval:
    settings = Settings(data_dir=data_dir)
    folder = settings.knowledge_dir
    publish_stamped(folder, engine, 1)
    retriever = Retriever(KnowledgeStore(folder), PublishingEmbedder(folder, engine, times), settings, COVERED)
    retriever._engine = engine
    return retriever.retrieve("word3 fee 17", "en", Trace())


def test_a_search_whose_generation_is_deleted_under_it_is_made_again(tmp_path: Path, memory: MemoryEngine) -> None:
    found = retrieve_overtaken(tmp_path, memory, 2)
    assert (found.generation, found.problem) == (1 + 2 * KEPT_GENERATIONS, None)
    assert {one.chunk.text.split()[1] for one in found.chunks} == {str(found.generation)}


def test_a_search_that_is_overtaken_every_time_ends(tmp_path: Path, memory: MemoryEngine) -> None:
    with pytest.raises(IndexDamaged):
        retrieve_overtaken(tmp_path, memory, 9)


@pytest.mark.real
@pytest.mark.parametrize("engine", by_day("pgvector", of=("pgvector", "milvus")), indirect=True)
def test_2000_reads_during_publications_see_one_generation_each(tmp_path: Path, engine: VectorEngine) -> None:
    """Each generation replaces every document, makes a collection of its own, and says its number in each text."""
    settings = Settings(data_dir=tmp_path)
    folder = settings.knowledge_dir

    publish_stamped(folder, engine, 1)
    retriever = Retriever(KnowledgeStore(folder), EMBEDDER, settings, COVERED)
    retriever._engine = engine
    reads, seen, wrong, ended = 0, set[int](), [], threading.Event()

    def read() -> None:
        nonlocal reads
        while not ended.is_set():
            result = retriever.retrieve(f"word{reads % 7} fee {reads % 60}", "en", Trace())
            stamps = {one.chunk.text.split()[1] for one in result.chunks}
            if stamps != {str(result.generation)} or result.problem is not None:
                wrong.append((result.generation, stamps, result.problem))
            seen.add(result.generation)
            reads += 1

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    number = 1
    while (reads < 2000 or number < 12) and all(thread.is_alive() for thread in threads):
        number += 1
        publish_stamped(folder, engine, number)
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(seen) >= 10
    assert len(engine.collections(engine_owner(folder))) <= KEPT_GENERATIONS
    assert np.all(
        [view_of(folder, one, engine).generation == one for one in range(number - KEPT_GENERATIONS + 1, number)]
    )
