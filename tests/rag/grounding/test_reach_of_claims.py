"""A claim reaches no further than its source: neither in its direction, nor past an "only", nor to another case."""

import pytest

from rag.grounding.citations import ground
from rag.schema import Evidence, Language, TextSpan
from rag.text.language import text_language


def _is_supported(source: str, claim: str, question: str = "") -> bool:
    language: Language = "zh" if text_language(source) == "zh" else "en"
    passage = Evidence(
        1, "d1", "d1.md", "", (), source, 0, len(source), 0, len(source), language, sent=(TextSpan(0, len(source)),)
    )
    found = ground(claim, [passage], question)
    return bool(found.citations) and not found.unsupported


_PAIRS = [
    ("The chat is open from 3 January.", "The chat is open from 3 January.", "The chat is open until 3 January."),
    ("雪板须在17:30前归还。", "雪板要在17:30前归还。", "雪板须在17:30后归还。"),
    ("A parcel may weigh at most 20 kg.", "A parcel may weigh up to 20 kg.", "A parcel must weigh at least 20 kg."),
    ("预订可在入场24小时前免费取消。", "入场24小时前可以免费取消预订。", "入场后24小时内可以免费取消预订。"),
    ("Rinse the filter with cold water.", "Rinse the filter in cold water.", "Rinse the filter with hot water."),
    ("接口每分钟最多调用300次。", "接口每分钟最多调用300次。", "接口每秒最多调用300次。"),
    (
        "We refund within 5 days of receipt.",
        "We refund within 5 days of delivery.",
        "We refund within 5 days of dispatch.",
    ),
    (
        "Only the AeroPod Pro can be charged wirelessly.",
        "The AeroPod Pro can be charged wirelessly.",
        "The AeroPod 2 can be charged wirelessly.",
    ),
    ("维修服务只在徐汇店提供。", "徐汇店提供维修服务。", "浦东店提供维修服务。"),
    (
        "The transfer adds one year to the registration, except for .uk domains.",
        "The transfer adds one year to the registration.",
        "The transfer adds one year to the registration of .uk domains.",
    ),
    ("学校和公益组织享受八五折。", "学校享受八五折。", "所有客户都享受八五折。"),
    (
        "Standard delivery takes 3-5 days. Express delivery takes 1-2 days.",
        "Express delivery takes 1-2 days.",
        "Express delivery takes 3-5 days.",
    ),
    ("A transfer takes five to seven days.", "A transfer takes 5 to 7 days.", "A transfer takes seven days."),
    (
        "Deleted files stay for 30 days; in the Business plan for 180 days.",
        "In the Business plan deleted files stay for 180 days.",
        "In the Business plan deleted files stay for 30 days.",
    ),
    (
        "| Tariff | Fee |\n|---|---|\n| Drive | EUR 5 |\n| Drive Plus | EUR 11 |",
        "Drive Plus has a fee of EUR 11.",
        "Drive Plus has a fee of EUR 5.",
    ),
    (
        "| 功能 | 免费版 | 专业版 |\n|---|---|---|\n| 访客权限 | – | 有 |",
        "专业版有访客权限。",
        "免费版有访客权限。",
    ),
    (
        "| 型号 | 支持手机控制 |\n|---|---|\n| A1 | 否 |\n| A2 | 是 |",
        "A1 不支持手机控制。",
        "所有型号都支持手机控制。",
    ),
    (
        "## Windows\n\nRun the uninstaller.\n\n## Mac\n\nMove the app to the bin.",
        "On a Mac, move the app to the bin.",
        "On Windows, move the app to the bin.",
    ),
]


@pytest.mark.parametrize(("source", "told", "turned"), _PAIRS)
def test_what_the_source_says_is_cited_and_what_turns_it_is_marked(source: str, told: str, turned: str) -> None:
    assert _is_supported(source, told)
    assert not _is_supported(source, turned)


def test_a_remedy_of_another_case_is_marked() -> None:
    lights = (
        "- Internet light red: no connection; restart the router and wait 5 minutes.\n"
        "- Internet light orange: the router updates itself; do not switch it off."
    )
    remedy = "Restart the router and wait 5 minutes."
    assert _is_supported(lights, remedy, "The internet light is red. What now?")
    assert not _is_supported(lights, remedy, "The internet light is orange. What now?")


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        ("You have 7 days to return it.", "You have one week to return it."),
        ("保修期为12个月。", "保修期一年。"),
        ("The refund takes 48 hours.", "The refund takes two days."),
        ("退款需要24小时。", "退款需要一天。"),
    ],
)
def test_a_time_in_another_unit_is_the_same_time(source: str, claim: str) -> None:
    assert _is_supported(source, claim)


@pytest.mark.parametrize(
    ("courtesy", "kept"),
    [
        ("您好，", "定制窗帘不能退货。"),
        ("很抱歉给您带来不便，", "定制窗帘不能退货。"),
        ("感谢您的来信，关于您的问题，", "定制窗帘不能退货。"),
    ],
)
def test_a_courtesy_hides_no_claim(courtesy: str, kept: str) -> None:
    source = "定制窗帘按您的尺寸裁剪，不能退货。"
    assert _is_supported(source, courtesy + kept)
    assert ground(f"{courtesy}定制窗帘可以退货。", [], "").unsupported
    assert not ground(courtesy, [], "").unsupported


def test_a_yes_before_a_sentence_about_something_else_is_marked() -> None:
    source = "Guests may stay two hours. Passes cannot be transferred."
    assert not _is_supported(source, "Yes. Guests may stay two hours.", "Can my colleague use my locker?")
    assert _is_supported(source, "Yes. Guests may stay two hours.", "May I bring guests?")


@pytest.mark.parametrize(
    ("table", "told", "turned"),
    [
        (
            "| 产品 | 整机 | 主要部件 | 电池 |\n|---|---|---|---|\n| Latch S5 | 3 年 | 锁体 5 年 | 随机电池不保修 |",
            ("Latch S5 的整机保修期为3年。", "Latch S5 的整机保修期为3年，电池不保修。"),
            "Latch S5 的电池保修3年。",
        ),
        (
            "| Device | Whole device | Battery |\n|---|---|---|\n| Latch S5 | 3 years | not covered |",
            ("The whole device Latch S5 is covered for 3 years.", "The battery of the Latch S5 is not covered."),
            "The battery of the Latch S5 is covered for 3 years.",
        ),
    ],
)
def test_a_no_in_another_column_denies_nothing_else(table: str, told: tuple[str, ...], turned: str) -> None:
    assert [_is_supported(table, claim) for claim in told] == [True] * len(told)
    assert not _is_supported(table, turned)
