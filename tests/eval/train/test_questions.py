"""Questions are dealt out by document, and no document is on both sides."""

import json
from pathlib import Path

import pytest

from eval.desk.cases import DeskCase
from eval.train.questions import Split, TrainingCase, load_training_cases, split_by_document
from rag.errors import SettingsError


def case(number: int, *documents: str) -> TrainingCase:
    one = DeskCase(f"q{number}", "en", "mail", ("?",), bool(documents), gold_docs=documents)
    return TrainingCase(one, documents=frozenset(documents))


def ids(cases: tuple[TrainingCase, ...]) -> set[str]:
    return {one.case.case_id for one in cases}


def parts_of(split: Split) -> tuple[tuple[TrainingCase, ...], ...]:
    return split.training, split.checks, split.held_out


@pytest.mark.parametrize("seed", range(5))
def test_no_document_and_no_translation_is_on_both_sides(seed: int) -> None:
    cases = [case(n, f"{'zh' if n % 2 else 'en'}/page-{n // 3}.md") for n in range(90)]
    cases += [case(100 + n, f"en/page-{n}.md", f"en/page-{n + 1}.md") for n in (0, 8)]
    split = split_by_document(cases, 0.3, seed)
    pages = [{path[3:] for one in part for path in one.documents} for part in parts_of(split)]
    assert not pages[0] & pages[1] and not pages[0] & pages[2] and not pages[1] & pages[2]
    assert ids(split.training) | ids(split.checks) | ids(split.held_out) == ids(tuple(cases))
    assert 20 <= len(split.held_out) <= 36
    assert 3 <= len(split.checks) <= 10


def test_the_same_seed_deals_alike_and_another_one_otherwise() -> None:
    cases = [case(n, f"{n}.md", f"shared-{n // 2}.md") for n in range(40)]
    split = split_by_document(cases, 0.3, 1)
    dealt = (0, 1, 16, 17, 18, 19, 22, 23, 34, 35, 36, 37)  # in every process
    assert ids(split.held_out) == {f"q{number}" for number in dealt}
    assert ids(split.checks) == {"q20", "q21"}
    assert ids(split_by_document(cases, 0.3, 2).held_out) != ids(split.held_out)


def test_questions_without_a_document_are_dealt_out_by_the_same_share() -> None:
    cases = [case(n, f"{n}.md") for n in range(20)] + [case(100 + n) for n in range(20)]
    held_out = split_by_document(cases, 0.5, 0).held_out
    assert sum(not one.documents for one in held_out) == 10


def test_nothing_can_be_held_out_where_all_rests_on_one_document() -> None:
    with pytest.raises(SettingsError, match="same documents"):
        split_by_document([case(n, "a.md") for n in range(9)], 0.3, 0)


def test_both_kinds_of_files_are_read(tmp_path: Path) -> None:
    desk, golden = tmp_path / "desk.jsonl", tmp_path / "golden.jsonl"
    row = {"id": "d", "lang": "en", "turns": [{"user": "How long?"}], "must_contain_any": [["30 days"]]}
    desk.write_text(json.dumps({**row, "gold_docs": ["a.md"]}), encoding="utf-8")
    asked = {"id": "g", "question": "How long?", "answers": ["It is 30 days."], "relevant": ["a.md"]}
    golden.write_text(json.dumps({**asked, "meta": {"cross_lingual_relevant": ["z.md"]}}), encoding="utf-8")
    (of_desk,), (of_golden,) = load_training_cases(desk), load_training_cases(golden)
    assert (of_desk.answer, of_desk.documents) == ("", {"a.md"})
    assert (of_golden.answer, of_golden.documents) == ("It is 30 days.", {"a.md", "z.md"})
    assert of_golden.case.must_contain_any == (("It is 30 days.",),)
