"""Texts in the encodings that people's files have."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.loaders.encoding import clean, decode
from ingest.loaders.fields import text_language
from tests.ingest.loaders.loading import load_one, reason

CHINESE = "签收后七天内可以退货，拆封的耗材除外。请联系在线客服。"
TRADITIONAL = "簽收後七天內可以退貨，拆封的耗材除外。請聯繫線上客服。"
ENGLISH = "Refunds reach you within 7 days. Please keep the receipt."


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_chinese(encoding: str) -> None:
    assert decode(CHINESE.encode(encoding)) == CHINESE


@pytest.mark.parametrize("encoding", ["big5", "utf-8", "utf-16-le"])
def test_traditional_chinese(encoding: str) -> None:
    assert decode(TRADITIONAL.encode(encoding)) == TRADITIONAL


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_english(encoding: str) -> None:
    assert decode(ENGLISH.encode(encoding)) == ENGLISH


JAPANESE = "返品は商品到着後7日以内にご連絡ください。送料はお客様のご負担となります。"
KOREAN = "반품은 상품 수령 후 7일 이내에 연락해 주세요. 배송비는 고객님이 부담하셔야 합니다."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(JAPANESE, "cp932"), (JAPANESE, "euc_jp"), (JAPANESE, "iso2022_jp"), (KOREAN, "cp949"), (KOREAN, "iso2022_kr")],
)
def test_the_neighbours(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_accents_within_words_and_quotation_marks() -> None:
    french = "Les remboursements sont effectués après réception : naïve, Noël, où ?"
    assert decode(french.encode("cp1252")) == french
    english = "He said “within 7 days” and left."
    for encoding in ("utf-16-le", "utf-16-be"):
        assert decode(english.encode(encoding)) == english


def test_a_byte_that_is_wrong_costs_itself_only() -> None:
    raw = bytearray((CHINESE * 20).encode())
    raw[30] = 0xFF
    text = decode(bytes(raw))
    assert text is not None
    assert text.count("\ufffd") <= 3
    assert text.endswith(CHINESE)


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_no_bytes_break_it(raw: bytes) -> None:
    text = decode(raw)
    assert text is None or clean(text) == text
    assert text is None or text.encode() is not None


def test_lines_end_in_one_way() -> None:
    assert clean("a\r\nb\rc\u2028d\x0be\x00f") == "a\nb\nc\nd\nef"


@pytest.mark.parametrize(
    ("text", "language"),
    [("退款 refund", "zh"), ("How do I 退款 from the Tidewell app?", "en"), ("123", "en"), ("", "en")],
)
def test_language(text: str, language: str) -> None:
    assert text_language(text) == language


def test_a_text_file(tmp_path: Path) -> None:
    document = load_one(tmp_path, "notes/gift_card.txt", "礼品卡说明\n\n有效期三年。".encode("gb18030"))
    assert (document.title, document.text, document.language) == ("礼品卡说明", "礼品卡说明\n\n有效期三年。", "zh")
    assert load_one(tmp_path, "gift_card.txt", "x" * 200).title == "gift card"


def test_files_that_are_not_text(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.txt", b"PK\x03\x04" + bytes(50)) == "malformed"
    assert reason(tmp_path, "b.txt", bytes(range(128, 256)) * 20 + b"\x00\xd8" * 999) == "encoding"
