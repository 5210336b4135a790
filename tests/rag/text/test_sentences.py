import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import split_sentences


def _split(text: str) -> list[str]:
    return [text[span.start : span.end] for span in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n\n ", []),
        ("One.", ["One."]),
        ("No end", ["No end"]),
        ("First one. Second one! Third?", ["First one.", "Second one!", "Third?"]),
        ("可以退货。需要原包装！要多久？", ["可以退货。", "需要原包装！", "要多久？"]),
        ("费用为3.5元。重量不超过2.5 kg。", ["费用为3.5元。", "重量不超过2.5 kg。"]),
        ("It costs GBP 3.95. Pay online.", ["It costs GBP 3.95.", "Pay online."]),
        ("Use firmware v2.1.3 or later. Then restart.", ["Use firmware v2.1.3 or later.", "Then restart."]),
        ("Bring proof, e.g. a receipt. See No. 5 for more.", ["Bring proof, e.g. a receipt.", "See No. 5 for more."]),
        ("Ask Dr. Smith or Mr. Li. They know.", ["Ask Dr. Smith or Mr. Li.", "They know."]),
        ("We open at 9 a.m. The shop closes at six.", ["We open at 9 a.m.", "The shop closes at six."]),
        ("Open at 9 a.m. on Sundays.", ["Open at 9 a.m. on Sundays."]),
        ("See https://a.example/b?c=1&d=2.html now. Done.", ["See https://a.example/b?c=1&d=2.html now.", "Done."]),
        ("Visit tidewell.example/returns. Then sign in.", ["Visit tidewell.example/returns.", "Then sign in."]),
        ("He said “No.” Then he left.", ["He said “No.”", "Then he left."]),
        ("他说“不行。”然后走了。", ["他说“不行。”", "然后走了。"]),
        ("真的吗?可以.请等一下!好", ["真的吗?", "可以.", "请等一下!", "好"]),
        ("Wait... then press. Wait... Then press.", ["Wait... then press.", "Wait...", "Then press."]),
        ("请稍候……马上好。", ["请稍候……", "马上好。"]),
        ("Steps:\n1. Open it.\n2. Close it.", ["Steps:", "1. Open it.", "2. Close it."]),
        ("步骤：\n1、打开。\n2、关闭。\n（3）等待", ["步骤：", "1、打开。", "2、关闭。", "（3）等待"]),
        ("- Filters\n- Gift cards\n* More", ["- Filters", "- Gift cards", "* More"]),
        (
            "| Paid with | After |\n|---|---|\n| PayPal | 1 working day |\nText below.",
            ["| Paid with | After |", "|---|---|", "| PayPal | 1 working day |", "Text below."],
        ),
        ("# Title\nText of it.", ["# Title", "Text of it."]),
        ("Title\n\nText of it.", ["Title", "Text of it."]),
        (
            "This line of a paragraph is long enough that it wraps\nand goes on here. New one.",
            ["This line of a paragraph is long enough that it wraps\nand goes on here.", "New one."],
        ),
        (
            "这一行文字足够长，所以在这里换行是因为页面宽度不够\n才断开的。",
            ["这一行文字足够长，所以在这里换行是因为页面宽度不够\n才断开的。"],
        ),
        ("保修范围\n整机两年。", ["保修范围", "整机两年。"]),
        ("Code E.07 or W-203.4 appears. Stop.", ["Code E.07 or W-203.4 appears.", "Stop."]),
        ("It is **free.** Really.", ["It is **free.**", "Really."]),
        ("Valid from 1.8.2026 to 31.12.2026. Later not.", ["Valid from 1.8.2026 to 31.12.2026.", "Later not."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("The price (incl. VAT) is fixed. So it is.", ["The price (incl. VAT) is fixed.", "So it is."]),
    ],
)
def test_splitting(text: str, sentences: list[str]) -> None:
    assert _split(text) == sentences


@pytest.mark.slow
@given(
    st.text(alphabet=st.one_of(st.sampled_from('ab1. \n|-#?!。！？，中文3.5e.g."”)'), st.characters()), max_size=120)
)
def test_spans_are_ordered_disjoint_and_cover_all_text(text: str) -> None:
    position = 0
    for span in split_sentences(text):
        assert position <= span.start < span.end <= len(text)
        assert text[position : span.start].strip() == ""
        piece = text[span.start : span.end]
        assert piece == piece.strip()
        position = span.end
    assert text[position:].strip() == ""
