"""The sample knowledge base through the real embedder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eval.core.question_sets import KNOWLEDGE_DIR
from ingest.pipeline import ingest
from rag.retrieval.embedder import open_embedder
from rag.retrieval.generation_view import GenerationView
from rag.settings import Settings
from rag.storage.store import KnowledgeStore
from tests.support.sample import copy_sample


@pytest.mark.real
def test_the_sample_knowledge_base(run_folder: Path, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    embedder = open_embedder(settings)
    summary = copy_sample(run_folder, tmp_path)
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

    again = ingest([KNOWLEDGE_DIR], settings, embedder)
    assert (again.unchanged, again.embedded, again.published) == (summary.documents, 0, False)


INGEST = """
import signal, sys
import ingest.__main__, ingest.console
from rag.retrieval.openvino_embedder import OpenVinoEmbedder
ingest.console._LINE_EVERY_SECONDS = float("inf")  # a busy machine takes long enough for a line
embed = OpenVinoEmbedder.embed_passages
def told(self, texts):
    sys.stdout.write("embedding\\n")  # in one piece: several threads embed
    sys.stdout.flush()
    return embed(self, texts)
OpenVinoEmbedder.embed_passages = told
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
sys.exit(ingest.__main__.main(sys.argv[1:]))
"""


@pytest.mark.real
def test_ctrl_c_while_the_embedder_works_is_no_crash(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INGEST, str(KNOWLEDGE_DIR)],
        cwd=KNOWLEDGE_DIR.parents[1],
        env={**os.environ, "ANSWERDESK_DATA_DIR": str(tmp_path), "LANG": "en"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(5):  # the model is ready by then, and at it when the process ends
            assert process.stdout.readline() == "embedding\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    told = [line for line in err.splitlines() if not line.startswith("You are root")]
    assert told == ["Stopped; nothing was published."]
