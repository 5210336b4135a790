"""What is committed: sources and samples, and nothing that a run has built."""

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
LARGEST_BYTES = 500_000
"""The limit of ``check-added-large-files`` of pre-commit-hooks; the longest file here is a lock file of 417 kB."""

BUILT = {".db", ".faiss", ".gguf", ".npy", ".onnx", ".pt", ".pyc", ".safetensors", ".sqlite", ".whl"}
FIXTURES = "tests/ingest/fixtures/"


def _git(*words: str, given: str = "") -> list[str]:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", *words], cwd=CHECKOUT, input=given, capture_output=True, text=True, check=False)
    return [name for name in done.stdout.split("\0") if name]


def test_no_large_file_is_tracked() -> None:
    tracked = [CHECKOUT / name for name in _git("ls-files", "-z")]
    assert tracked
    assert [path for path in tracked if path.is_file() and path.stat().st_size > LARGEST_BYTES] == []


def test_no_index_no_weights_and_no_build_result_is_tracked() -> None:
    tracked = [name for name in _git("ls-files", "-z") if not name.startswith(FIXTURES)]
    assert [name for name in tracked if Path(name).suffix in BUILT] == []


def test_what_a_run_writes_is_ignored_wherever_its_data_folder_is_set() -> None:
    """An index lies under the data folder, which somebody may have set to ``data`` itself."""
    written = ["data/runtime/indexes/x", "data/runs/current/index.faiss", "data/indexes/main/chunks.db", "data/desk.db"]
    assert _git("check-ignore", "-z", "--stdin", given="\0".join(written)) == written
    assert _git("check-ignore", "-z", "--no-index", "data/knowledge/en/new.md", "data/golden/new.jsonl") == []
