import pytest

from rag.text.markup import introduces, is_heading, is_list_item, is_row, is_row_rule, without_heading_signs


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("## Fees", "heading"),
        ("#hashtag", ""),
        ("| Zone | Fee |", "row"),
        ("|---|:--:|", "row rule"),
        ("- dents", "item"),
        ("（1）三天内", "item"),
        ("3. Wait", "item"),
        ("3.5 kg", ""),
        ("Not covered are:", "introduces"),
        ("以下情况除外：", "introduces"),
    ],
)
def test_kinds(line: str, kinds: str) -> None:
    found = {
        "heading": is_heading(line),
        "row": is_row(line),
        "rule": is_row_rule(line),
        "item": is_list_item(line),
        "introduces": introduces(line),
    }
    assert {kind for kind, holds in found.items() if holds} == set(kinds.split())


def test_a_headings_words() -> None:
    assert without_heading_signs("### 退货") == "退货"
    assert without_heading_signs("No # heading") == "No # heading"
