"""A file of cases is read whole, or one sentence says which line is none and why."""

import json
from collections import Counter
from pathlib import Path

import pytest

from eval.desk.cases import DeskCase, draw_by_kind, load_cases
from rag.errors import SettingsError

ROW: dict[str, object] = {
    "id": "c1",
    "lang": "zh",
    "kind": "mail",
    "turns": [{"user": "你好"}, {"user": "多久到账？"}],
    "answerable": True,
    "must_contain_any": [["3 天", "三天"]],
    "must_not_contain": ["5 天"],
    "gold_docs": ["zh/refund.md"],
    "gold_quote": "3 天",
    "note": "why",
}


def _write(folder: Path, *lines: str) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_case_is_read_with_all_its_fields(tmp_path: Path) -> None:
    (case,) = load_cases(_write(tmp_path, "", json.dumps(ROW), ""))
    assert case == DeskCase(
        case_id="c1",
        language="zh",
        kind="mail",
        turns=("你好", "多久到账？"),
        answerable=True,
        must_contain_any=(("3 天", "三天"),),
        must_not_contain=("5 天",),
        gold_docs=("zh/refund.md",),
        gold_quote="3 天",
        note="why",
    )
    assert case.question == "多久到账？"


def test_what_may_be_left_out_has_a_default(tmp_path: Path) -> None:
    short = {"id": "c", "turns": [{"user": "多久到账？"}], "must_contain_any": [["3 天"]], "author": "Lin"}
    (case,) = load_cases(_write(tmp_path, json.dumps(short)))
    assert (case.language, case.kind, case.answerable, case.gold_docs) == ("zh", "other", True, ())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": ""}, '"id" must be a text'),
        ({"turns": []}, '"turns" must list'),
        ({"turns": ["hello"]}, '"turns" must list'),
        ({"turns": [{"user": " "}]}, '"turns" must list'),
        ({"lang": "tlh"}, '"lang" must be the ISO 639-1 code'),
        ({"answerable": "half"}, '"answerable" must be true, false or "partly"'),
        ({"kind": 3}, '"kind" must be a text'),
        ({"must_contain_any": ["3 天"]}, "list of lists"),
        ({"must_contain_any": [[]]}, "list of lists"),
        ({"must_contain_any": []}, "what a right answer holds"),
        ({"must_contain_any": [], "answerable": "partly"}, "what a right answer holds"),
        ({"must_contain_any": [], "answerable": False, "kind": "false_premise"}, "what a right answer holds"),
        ({"must_not_contain": "5 天"}, '"must_not_contain" must be a list of texts'),
        ({"gold_docs": [1]}, '"gold_docs" must be a list of texts'),
        ({"absent": ["(("]}, "no regular expression"),
        ({"gold_quote": None}, '"gold_quote" must be a text'),
    ],
)
def test_a_line_that_is_no_case_is_named_with_the_reason(
    change: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    with pytest.raises(SettingsError) as raised:
        load_cases(_write(tmp_path, json.dumps(ROW | {"id": "c0"}), json.dumps(ROW | change)))
    told = raised.value.text("en")
    assert "cases.jsonl, line 2" in told
    assert said in told


def test_other_files_are_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for lines, said in (
        ((json.dumps(ROW), json.dumps(ROW)), "line 2: another case has the id c1"),
        (("{",), "line 1: this is no JSON"),
        (("[]",), "line 1: a case is an object"),
        (("",), "there is no case"),
    ):
        with pytest.raises(SettingsError, match=said):
            load_cases(_write(tmp_path, *lines))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_cases(tmp_path / "none.jsonl")


def _cases(sizes: dict[str, int]) -> list[DeskCase]:
    return [
        DeskCase(f"{kind}{number}", "zh" if number % 2 else "en", kind, ("?",), False)
        for kind, count in sizes.items()
        for number in range(count)
    ]


def test_a_draw_has_kinds_and_languages_in_their_shares() -> None:
    cases = _cases({"mail": 20, "typo": 12, "far": 8})
    for seed in range(5):
        drawn = draw_by_kind(cases, 10, seed)
        assert drawn == tuple(sorted(drawn, key=cases.index)), "in the order of the file"
        assert Counter(case.kind for case in drawn) == {"mail": 5, "typo": 3, "far": 2}
        assert 4 <= sum(case.language == "zh" for case in drawn) <= 6
        assert drawn == draw_by_kind(cases, 10, seed)
    assert draw_by_kind(cases, 10, 0) != draw_by_kind(cases, 10, 1)
    assert draw_by_kind(cases, 0, 0) == draw_by_kind(cases, 99, 0) == tuple(cases)
