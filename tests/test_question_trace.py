"""How many modules of ``rag`` a question runs through: the way through the house that a newcomer has to read."""

from pathlib import Path

import pytest

from rag.errors import printable
from rag.testing import build_offline_pipeline
from rag.text.terms import terms
from tests.support.question_trace import QUESTION, main, modules_of_a_question, traced

MOST_MODULES = 64  # 64 today; to be lowered with each part that joins another


@pytest.mark.slow
def test_a_question_does_not_cross_more_modules_than_it_did(tmp_path: Path) -> None:
    snapshot, modules = modules_of_a_question(QUESTION, build_offline_pipeline(tmp_path / "sample"), tmp_path)
    assert (snapshot.state, snapshot.text != "") == ("done", True)
    assert {"rag.turns.service", "rag.pipeline", "rag.retrieval.retriever", "rag.grounding.citations"} <= set(modules)
    assert len(modules) <= MOST_MODULES


def test_only_the_package_is_counted_and_only_while_it_is_watched(tmp_path: Path) -> None:
    with traced("rag/text") as calls:
        terms(f"How long is the warranty of {tmp_path}?")  # what was read before is remembered
        printable("a\nb")  # of rag.errors
    before = dict(calls)
    terms(f"How long is the warranty of the kettle in {tmp_path}?")
    assert {module.rpartition(".")[0] for module in calls} == {"rag.text"}
    assert calls["rag.text.terms"] > 0
    assert calls == before


@pytest.mark.slow
def test_the_script_tells_the_number_and_the_modules() -> None:
    written: list[str] = []
    assert main([], written.append) == 0
    assert written[0].startswith("done: ")
    assert int(written[0].split()[1]) == written[1].count("\n")
