import os
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


HEAVY = "{'torch', 'transformers', 'langchain', 'langchain_core', 'langchain_ollama', 'langsmith'}"


def _run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python code in a process of its own, in the checkout."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_importing_rag_brings_nothing_heavy_along() -> None:
    code = (
        "import sys, rag; assert not {'faiss', 'openvino', 'numpy', 'httpx'} & set(sys.modules); "
        f"assert not {HEAVY} & set(sys.modules); "
        "from rag import build_pipeline; print(build_pipeline.__module__); "
        f"assert not {HEAVY} & set(sys.modules); assert not {{'httpx', 'ollama'}} & set(sys.modules)"
    )
    done = _run(code)
    assert (done.stdout, done.stderr) == ("rag.factory\n", "")


@pytest.mark.slow
def test_importing_rag_changes_no_thread_pool_and_a_retriever_gives_blas_one_thread(tmp_path: Path) -> None:
    code = (
        "import numpy, pathlib, threadpoolctl\n"
        "def threads():\n"
        "    return [pool['num_threads'] for pool in threadpoolctl.threadpool_info() if pool['user_api'] == 'blas']\n"
        "before = threads()\n"
        "import rag, rag.factory, rag.retrieval.late_interaction\n"
        "assert set(threads()) == set(before) == {2}, (threads(), before)\n"
        "from rag.testing import build_offline_pipeline\n"
        "build_offline_pipeline(pathlib.Path('FOLDER'))\n"
        "assert set(threads()) == {1}, threads()\n"
    ).replace("FOLDER", str(tmp_path))
    done = _run(code, OPENBLAS_NUM_THREADS="2")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_passages_are_there_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from rag.schema import Retrieved\n"
        "from rag.testing import build_offline_pipeline\n"
        f"events = build_offline_pipeline(pathlib.Path({str(tmp_path)!r})).stream('How many days for a return?')\n"
        "assert isinstance(next(events), Retrieved)\n"
        f"assert not {HEAVY} & set(sys.modules); assert not {{'httpx', 'ollama'}} & set(sys.modules)\n"
        "import rag.__main__, rag.factory, rag.cli.answer_printer\n"
        f"assert not {HEAVY} & set(sys.modules); assert not {{'httpx', 'ollama'}} & set(sys.modules)\n"
    )
    done = _run(code)
    assert (done.returncode, done.stderr) == (0, "")
