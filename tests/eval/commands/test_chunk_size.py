"""``python -m eval chunk-size``: the figures of each size, from one knowledge base a set."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.commands import chunk_size as chunk_size_command
from eval.core.question_sets import sets_in
from eval.retrieval.benchmark import smaller_corpus
from rag.settings import load_settings
from rag.testing import HashEmbedder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One question set of ten documents, of which two are relevant."""
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(chunk_size_command, "open_embedder", lambda settings: HashEmbedder())
    load_settings.cache_clear()
    place = tmp_path / "sets" / "phones"
    place.mkdir(parents=True)
    filler = " ".join(f"This is sentence {number} about nothing much." for number in range(40))
    texts = {f"d{number}": f"{filler} Topic{number} is explained here." for number in range(10)}
    rows = [{"id": key, "title": "", "text": text} for key, text in texts.items()]
    (place / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"id": key, "question": f"topic{key}", "lang": "en", "relevant": [f"d{key}"]} for key in ("3", "7")]
    (place / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    yield place.parent
    load_settings.cache_clear()


@pytest.mark.slow
def test_a_table_a_measure_and_all_figures_in_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = folder / "figures.json"
    options = ["chunk-size", "--sets", str(folder), "--sizes", "32", "128", "--json", str(written)]
    assert main(options) == 0
    said = capsys.readouterr().out
    for words in ("R@1", "R@5", "MRR@10", "mean of the sets", "Now: 128"):
        assert words in said
    figures = json.loads(written.read_text())
    assert list(figures) == ["32", "128"]
    assert figures["32"]["chunks"] > 2 * figures["128"]["chunks"] > 0
    assert figures["128"]["by_set"]["phones"]["n"] == 2
    assert figures["32"]["recall_at_1"] == 1.0


def test_a_smaller_corpus_keeps_what_is_relevant(folder: Path, tmp_path: Path) -> None:
    (one,) = sets_in(folder)
    smaller = smaller_corpus(one, 5, seed=1, place=tmp_path / "5.jsonl")
    ids = [json.loads(line)["id"] for line in smaller.corpus.read_text().splitlines()]
    assert len(ids) == 5
    assert {"d3", "d7"} <= set(ids)
    assert ids == sorted(ids)
    again = smaller_corpus(one, 5, seed=1, place=tmp_path / "again.jsonl")
    assert again.corpus.read_text() == smaller.corpus.read_text()
    fewest = smaller_corpus(one, 1, seed=1, place=tmp_path / "1.jsonl")
    assert len(fewest.corpus.read_text().splitlines()) == 2


def test_sizes_outside_the_setting_s_range_and_no_sets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for size in ("16", "1000", "many"):
        with pytest.raises(SystemExit) as ended:
            main(["chunk-size", "--sets", str(folder), "--sizes", size])
        assert ended.value.code == 2
    assert main(["chunk-size", "--sets", str(folder / "phones" / "none")]) != 0
    assert "corpus.jsonl" in capsys.readouterr().err
