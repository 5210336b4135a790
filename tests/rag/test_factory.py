import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import KnowledgeBaseMissing
from rag.factory import build_pipeline
from rag.settings import Settings
from tests.rag.command import CHECKOUT


def test_without_a_knowledge_base_nothing_else_is_looked_for(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "no-embedder-here")
    with pytest.raises(KnowledgeBaseMissing):
        build_pipeline(settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_importing_rag_brings_nothing_heavy_along() -> None:
    code = (
        "import sys, rag; assert not {'faiss', 'openvino', 'torch', 'langchain_ollama'} & set(sys.modules); "
        "from rag import build_pipeline; print(build_pipeline.__module__); "
        "assert not {'torch', 'langchain_ollama'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("rag.factory\n", "")
