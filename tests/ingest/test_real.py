"""The sample knowledge base through the real embedder."""

from pathlib import Path

import pytest

from ingest.pipeline import ingest
from rag.retrieval.embedder import open_embedder
from rag.retrieval.generation_view import GenerationView
from rag.settings import Settings
from rag.storage.store import KnowledgeStore

KNOWLEDGE = Path(__file__).parents[2] / "data" / "knowledge"


@pytest.mark.real
def test_the_sample_knowledge_base(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    embedder = open_embedder(settings)
    summary = ingest([KNOWLEDGE], settings, embedder)
    assert summary.failures == ()
    assert summary.unsupported == ()
    assert summary.documents > 100
    assert summary.embedded == summary.chunks

    store = KnowledgeStore(settings.knowledge_dir)
    view = GenerationView.open(store, 1, embedder.model_id)
    for question, document_id in {
        "Repair price of the Drift R3 laser turret out of warranty": "en/warranty/repair-price-list.pdf",
        "保外更换 Latch S5 指纹头要多少钱": "zh/warranty/repair-price-list-2026.pdf",
    }.items():
        query = embedder.embed_queries([question]).vectors
        hits = view.vectors["zh" if document_id.startswith("zh") else "en"].search(query, 5)
        found = store.chunks([hit.chunk_id for hit in hits], 1)
        assert document_id in {chunk.document_id for chunk in found.values()}
    assert store.document("en/internal/goodwill.md", 1).audience == "internal"
    store.close()

    again = ingest([KNOWLEDGE], settings, embedder)
    assert (again.unchanged, again.embedded, again.published) == (summary.documents, 0, False)
