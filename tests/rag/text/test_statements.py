import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.statements import content_words, contradicts, read_statement


@pytest.mark.parametrize(
    ("sentence", "denies"),
    [
        ("The filter can't be washed.", True),
        ("You need no receipt.", True),
        ("It must not be left without water.", False),  # twice denied
        ("Send it no later than Friday.", False),
        ("固件不会自动升级", True),
        ("退款不超过 5 天", False),
        ("存储空间总数不能超过 100 个", False),
        ("最低容量不得低于 20 TB", False),
        ("A bucket cannot exceed 100 rules.", False),
        ("The value must not be greater than 5.", False),
        ("A file can exceed 5 GB.", True),  # as "5 GB at most" puts it
        ("支持无理由退货", False),
        ("Login.gov does not accept U.S. passports at the counter.", True),
        ("没有发票也能保修", True),
        ("不锈钢内胆", False),
    ],
)
def test_denial(sentence: str, denies: bool) -> None:
    assert [clause.denies for clause in read_statement(sentence).clauses] == [denies]


@pytest.mark.parametrize(
    ("claim", "source", "opposed"),
    [
        ("The filter can be washed.", "The filter can't be washed.", True),
        ("The filter cannot be washed.", "The filter can't be washed.", False),
        ("No, the filter cannot be washed.", "The filter can't be washed.", False),
        ("固件会自动升级", "固件不会自动升级，需要手动升级", True),
        ("可以，指纹不依赖网络", "指纹、密码都不依赖网络", False),
        ("退货不收运费", "金会员退货免运费", False),
        ("Returns are free of charge.", "Returns cost no extra fee.", False),
        ("每个地域最多创建 100 个存储空间", "每个地域创建的存储空间不能超过 100 个", False),
        ("每个地域创建的存储空间可以超过 100 个", "每个地域创建的存储空间不能超过 100 个", True),
        ("An uploaded file can exceed 5 GB.", "An uploaded file cannot exceed 5 GB.", True),
        ("Login.gov does not accept U.S. passports at the counter.", "Passports are not yet accepted here.", False),
        ("Tidewell.example accepts U.S. cards.", "U.S. cards are not accepted at tidewell.example.", True),
        ("The box is red.", "The lock does not need the internet.", False),
    ],
)
def test_contradiction(claim: str, source: str, opposed: bool) -> None:
    assert contradicts(read_statement(claim), read_statement(source)) is opposed


def test_words_leave_figures_and_grammar_out() -> None:
    assert read_statement("1. Yes, the parcels are sent within 3 working days.").words == {"parcel", "send"}
    assert content_words("您的退款") == {"退款"}
    assert content_words("You can't, we're told: it doesn’t boil") == content_words("told boil")


def test_names_are_capital_words_inside_a_sentence_and_places_in_chinese() -> None:
    assert read_statement("Members of Tidewell Circle use the App on Monday.").names == {"tidewell", "circle"}
    assert read_statement("寄到挪威的运费，和寄到冰島的不同。").names == {"norway", "iceland"}
    assert read_statement("最大连接数，完成都需要三天。").names == frozenset()


@given(st.text(max_size=200))
def test_nothing_contradicts_itself(text: str) -> None:
    statement = read_statement(text)
    assert not contradicts(statement, statement)
