"""What is said of one row, code, name or time supports nothing that is claimed of the next one."""

from dataclasses import replace
from datetime import date
from itertools import permutations

import pytest

from rag.grounding.citations import ground
from rag.grounding.claims import AnswerContext, Claim, quotable_spans
from rag.grounding.contradiction import read_tokens
from rag.grounding.support import supporting_spans
from rag.schema import Evidence, TextSpan
from rag.text.statements import read_statement

_SHIPPING = """| Region | Bike | Battery alone | Delivery time |
| --- | --- | --- | --- |
| Austria | EUR 79 | EUR 29 | 5-7 working days |
| Hong Kong | HKD 890 | not possible | 6-9 working days |

Parcels to islands (Sylt, Hainan) take 20 working days."""
_CODES = """| Code | Meaning | What to do |
| --- | --- | --- |
| E-1042 | Battery too cold | Bring the battery indoors for 45 minutes |
| E-1043 | Battery too hot | Park in the shade for 20 minutes |

The display shows a code when the motor stops helping."""
_ERRORS = """| Error | What it means |
| --- | --- |
| 6001 | The name on the account does not match the tax record |
| 6101 | The Social Security number is missing from the record |"""
_ERRORS_ZH = """| 错误 | 原因 |
| --- | --- |
| 6001 | 账户姓名与税务记录不一致 |
| 6101 | 记录里缺少社保号码 |"""
_CODES_OF_DEVICES = """| Code | Device | Meaning | What to do |
| --- | --- | --- | --- |
| E22 | R3 | Dust box is full | Empty the dust box |
| E30 | R3 | Brush is blocked | Clean the brush |"""
_WARRANTY = """| Part | Warranty | Condition |
| --- | --- | --- |
| Frame | 10 years | registered within 60 days |
| Motor | 3 years | serviced once a year |"""
_WARRANTY_ZH = """| 部件 | 保修期 | 条件 |
| --- | --- | --- |
| 车架 | 5 年 | 购买后注册 |
| 电机 | 3 年 | 每年保养一次 |"""
_PARTS = """| Number | Part | EUR | CNY |
| --- | --- | --- | --- |
| VP-2201 | Charger 4 A | 89 | 690 |
| VP-2202 | Charger 2 A | 59 | 450 |"""
_LABELS = """| Where you return from | Label |
|---|---|
| EU countries | EUR 4.95, deducted from the refund |
| Norway, Switzerland | you arrange and pay the carrier yourself |"""
_LABELS_ZH = """| 寄回地 | 面单 |
|---|---|
| 欧盟国家 | 4.95 欧元，从退款中扣除 |
| 挪威、瑞士 | 自行联系承运商并付费 |"""
_FAULTY = f"{_LABELS}\n\nIf the item is faulty, the label is free from every country."
_FAULTY_ZH = f"{_LABELS_ZH}\n\n如商品有质量问题，各国寄回的面单均免费。"
_REFUNDS = """| Paid by | Refund takes |
| --- | --- |
| Credit card | 3–7 working days |
| PayPal | 1 working day |"""
_REFUNDS_ZH = """| 付款方式 | 到账时间 |
| --- | --- |
| 信用卡 | 3–7 个工作日 |
| 微信支付 | 1 个工作日内 |"""
_TYRES = "65 psi for the Kestrel, 80 psi for the Heron Cargo."
_TRACKING = "## Theft tracking\n\nIt works in the EU, Switzerland and the UK, not in China."
_GOODWILL = "Agents may grant up to EUR 80 of goodwill without asking."
_CARDS = "To replace an old PIV or CAC card, you need another way to sign in."
_COUNTRIES = (
    "| Countries | Label |\n|---|---|\n| UK mainland | free |\n| Jersey, Guernsey | free |\n"
    "| EU countries | EUR 4.95 |\n| Norway | by the customer |"
)
_FILTERS_ZH = "吸力变弱时先洗滤网，再看尘盒有没有扣紧，轮子转不转。"
_STORAGE = "Store the battery at 40 to 60 % if you do not ride for more than four weeks."
_SHOPS = "维洛门店：上海门店周一至周日营业，苏州仓库不接待试骑。"


def _passage(text: str, language: str = "en") -> Evidence:
    whole = len(text)
    return Evidence(1, "a.md", "a.md", "", (), text, 0, whole, 0, whole, "zh" if language == "zh" else "en")


def _is_supported(sentence: str, text: str, question: str, language: str = "en") -> bool:
    return not ground(sentence, [_passage(text, language)], question).unsupported


@pytest.mark.parametrize(
    ("text", "question", "right", "wrong"),
    [
        (_SHIPPING, "Can a battery go to Hong Kong?", "Sending a battery alone to Hong Kong is not possible.",
         "Yes, you can send a battery to Hong Kong."),
        (_SHIPPING, "How long to Hong Kong?", "Hong Kong takes 6-9 working days.",
         "Parcels to Hong Kong take 20 working days."),
        (_SHIPPING, "How long does it take to Norway?", "Parcels to islands take 20 working days.",
         "Parcels to Norway take 20 working days."),
        (_CODES, "E-1042, what now?", "Bring the battery indoors for 45 minutes.", "Park in the shade for 20 minutes."),
        (_ERRORS, "I get error 6101, what is it?", "Error 6101 means that the Social Security number is missing.",
         "Error 6101 means that the name on the account does not match the tax record."),
        (_ERRORS, "I get error 6101, what is it?", "The Social Security number is missing from the record.",
         "The name on the account does not match the tax record."),
        (_CODES_OF_DEVICES, "My R3 shows E30.", "Clean the brush.", "Empty the dust box."),
        (_CODES, "What does E-2001 mean?", "The display shows a code when the motor stops helping.",
         "E-2001 shows when the motor stops helping."),
        (_WARRANTY, "Warranty of frame and motor?", "The motor has a warranty of 3 years.",
         "The motor has a warranty of 10 years."),
        (_PARTS, "What does a charger cost?", "The 2 A charger costs EUR 59.", "The 2 A charger costs EUR 89."),
        (_PARTS, "VP-2201 in CNY?", "VP-2201 costs CNY 690.", "VP-2201 costs CNY 89."),
        (_LABELS, "What is the label?", "In EU countries the label is EUR 4.95, deducted from the refund.",
         "The label to Norway is EUR 4.95, deducted from the refund."),
        (_FAULTY, "What is the label?", "If the item is faulty, the label to Norway is free.",
         "So the label to Norway is free."),
        (_FAULTY, "What is the label to Norway?", "If it is faulty, the label is free.", "The label is free."),
        (_SHIPPING, "What is delivery to Austria, how many days to return an opened kettle?",
         "Delivery to Austria costs EUR 79 and takes 5-7 working days.",
         "Delivery to Austria costs EUR 79 and you have 5-7 working days to return an opened kettle."),
        (_SHIPPING, "I have 20 spare kettles in my cellar. What is delivery to Austria?",
         "You have 20 spare kettles in your cellar, and delivery to Austria takes 5-7 working days.",
         "You have 20 spare kettles in your cellar, and delivery to Austria takes 9 working days."),
        # the name of its column is no other row's
        (_SHIPPING, "What is delivery to Austria, and how long does it take?",
         "The delivery time there is 5-7 working days.", "The delivery time there is 6-9 working days."),
        (_TYRES, "Pressure of the Heron?", "The pressure of the Heron Cargo is 80 psi.",
         "The pressure of the Heron Cargo is 65 psi."),
        (_REFUNDS, "When is a refund on a credit card?", "A credit card takes 3-7 working days.",
         "A credit card takes 3 working days."),
        (_REFUNDS, "When is a refund on a credit card?", "A credit card takes up to 7 working days.",
         "The refund to a credit card takes 7 working days."),
        (_REFUNDS, "When is a refund on a credit card?", "A credit card takes at least 3 working days.",
         "The refund on a credit card: 3 working days."),
        (_TRACKING, "Does tracking work in China?", "Tracking does not work in China.", "Tracking works in China."),
        (_GOODWILL, "How much goodwill?", "Agents may grant up to EUR 80.", "Agents may not grant EUR 80 of goodwill."),
        (_CARDS, "Can you mail me a new Costco card?", "To replace a CAC card you need another way to sign in.",
         "To replace a Costco card you need another way to sign in than your CAC card."),
        (_COUNTRIES, "Who pays the label?", "From the countries UK mainland, Jersey and Guernsey the label is free.",
         "The label is free from the UK mainland, Jersey, EU countries and Norway."),
        (_STORAGE, "How full?", "Store the battery at 40 to 60 %.", "Do not store the battery at 40 to 60 %."),
    ],
)  # fmt: skip
def test_what_is_said_of_the_one_is_not_said_of_the_other(text: str, question: str, right: str, wrong: str) -> None:
    assert _is_supported(right, text, question)
    assert not _is_supported(wrong, text, question)


@pytest.mark.parametrize(
    ("text", "question", "right", "wrong"),
    [
        (_ERRORS_ZH, "登录时报错6101，是什么原因？", "错误 6101 表示记录里缺少社保号码。",
         "错误 6101 表示账户姓名与税务记录不一致。"),
        (_ERRORS_ZH, "登录时报错6101，是什么原因？", "记录里缺少社保号码。", "账户姓名与税务记录不一致。"),
        (_WARRANTY_ZH, "车架和电机保修多久？", "电机保修 3 年。", "电机保修 5 年。"),
        (_LABELS_ZH, "面单多少钱？", "欧盟国家的面单 4.95 欧元，从退款中扣除。",
         "挪威的面单 4.95 欧元，从退款中扣除。"),
        (_FAULTY_ZH, "面单多少钱？", "如商品有质量问题，挪威寄回的面单免费。", "因此挪威寄回的面单免费。"),
        (_REFUNDS_ZH, "信用卡退款多久？", "信用卡退款要 3–7 个工作日。", "信用卡退款要 3 个工作日。"),
        (_REFUNDS_ZH, "信用卡退款多久？", "信用卡退款最快 3 个工作日。", "信用卡：3 个工作日。"),
        (_REFUNDS_ZH, "信用卡退款多久？", "信用卡退款在 7 个工作日内到账。", "信用卡退款要 7 个工作日到账。"),
        (_REFUNDS_ZH, "信用卡退款多久？", "信用卡退款最晚 7 个工作日到账。", "信用卡退款要 5 个工作日。"),
        (_REFUNDS_ZH, "信用卡退款多久？水壶几天内能退？", "信用卡退款要 3–7 个工作日。",
         "信用卡退款要 3–7 个工作日，水壶拆封后 1 个工作日内能寄回仓库。"),
        (_FILTERS_ZH, "滤网能退吗？", "滤网要洗。", "滤网不能退。"),
        (_SHOPS, "苏州可以试骑吗？", "苏州仓库不接待试骑。", "苏州仓库可以试骑。"),
        (_SHOPS, "北京有门店吗？", "上海门店周一至周日营业。", "北京有门店。"),
    ],
)  # fmt: skip
def test_the_same_in_chinese(text: str, question: str, right: str, wrong: str) -> None:
    assert _is_supported(right, text, question, "zh")
    assert not _is_supported(wrong, text, question, "zh")


def test_another_row_may_be_cited_when_it_is_named() -> None:
    question = "I get error 6101, what is it?"
    told = "Error 6001 means that the name on the account does not match the tax record."
    assert _is_supported(told, _ERRORS, question)
    assert _is_supported("The name on the account does not match the tax record.", _ERRORS, "Why is the name wrong?")
    assert _is_supported("错误 6001 表示账户姓名与税务记录不一致。", _ERRORS_ZH, "登录时报错6101，是什么原因？", "zh")
    assert _is_supported("账户姓名与税务记录不一致。", _ERRORS_ZH, "为什么提示姓名不对？", "zh")


def test_a_condition_that_the_question_meets_is_not_dropped() -> None:
    assert _is_supported("The label to Norway is free.", _FAULTY, "My kettle is faulty, what is the label to Norway?")
    assert _is_supported("挪威寄回的面单免费。", _FAULTY_ZH, "商品有质量问题，从挪威寄回，面单多少钱？", "zh")


@pytest.mark.slow
def test_the_order_in_which_words_are_counted_decides_nothing() -> None:
    question = "商品有质量问题，从挪威寄回，面单多少钱？"
    passage = _passage(_FAULTY_ZH, "zh")
    context = AnswerContext(
        [passage], list(quotable_spans(passage, 0)), read_statement(question), read_tokens(question)
    )
    claim = Claim.read("挪威寄回的面单免费。", question)
    orders = [replace(claim, weights=dict(order)) for order in permutations(claim.weights.items())]
    assert len({tuple(span.text for span in supporting_spans(order, context)) for order in orders}) == 1


def test_a_code_that_is_asked_for_is_found_in_the_other_language() -> None:
    chinese = replace(
        _passage("电池显示 E-1043 时请勿充电，将车停在阴凉处 20 分钟。", "zh"), document_id="b.md", number=2
    )
    grounding = ground("请将电池放在室内 45 分钟。", [chinese, _passage(_CODES)], "E-1042 怎么办？")
    assert [citation.document_id for citation in grounding.citations] == ["a.md"]


def test_a_rule_of_another_time_supports_only_what_is_asked_of_it() -> None:
    expired = replace(_passage("A full charge takes 8 hours."), expired_on=date(2025, 12, 31))
    assert ground("A full charge takes 8 hours.", [expired]).unsupported
    assert ground("A full charge takes 8 hours.", [replace(expired, sent=(TextSpan(0, 28),))]).citations


def test_a_sentence_about_a_code_does_not_rest_on_a_passage_without_it() -> None:
    codes = (
        "| Code | Meaning | What to do |\n| --- | --- | --- |\n| E07 | Cliff sensors dusty | Wipe the sensor windows |"
    )
    prices = "A worn wheel module can be changed at the repair centre for EUR 49."
    evidence = [_passage(codes, "en"), _passage(prices, "en")]
    wrong = ground("E07 means that the worn wheel module is changed at the repair centre.", evidence, "E07, what now?")
    assert wrong.unsupported
    assert not ground("E07 means that the cliff sensors are dusty.", evidence, "E07, what now?").unsupported
    assert not ground("A worn wheel module is changed at the repair centre.", evidence, "E07, what now?").unsupported


def test_a_row_without_cells_is_no_obstacle() -> None:
    text = _SHIPPING.replace("| Hong Kong |", "|\n| Hong Kong |")
    passage = Evidence(1, "a.md", "a.md", "Shipping", (), text, 0, len(text), 0, len(text), "en")
    found = ground("A bike to Austria costs EUR 79.", [passage], "What does a bike to Austria cost?")
    assert [citation.quote for citation in found.citations] == ["| Austria | EUR 79 | EUR 29 | 5-7 working days |"]


_SECTIONS = """## Change of mind

- Silver members: three returns a year without postage.
- Others: EUR 4.95 of postage.

## Faulty goods

We pay all the postage. Keep the receipt."""
_SECTIONS_ZH = """## 无理由退货

- 银会员：每个自然年前 3 次免运费，之后每单 10 元；
- 金会员：不限次数免运费。

## 质量问题或发错货

运费全部由商城承担，不用垫付。请保留底单。"""


@pytest.mark.parametrize(
    ("text", "claim", "is_supported"),
    [
        (_SECTIONS, "For silver members we pay all the postage.", False),
        (_SECTIONS, "We pay all the postage.", True),
        (_SECTIONS, "Silver members have three returns a year without postage.", True),
        (_SECTIONS, "Silver members have three returns a year without postage, and we pay for faulty goods.", True),
        (_SECTIONS, "Silver members should keep the receipt.", True),  # of which their own item says nothing
        (_SECTIONS_ZH, "银会员退货运费由商城承担，不用垫付。", False),
        (_SECTIONS_ZH, "运费由商城承担，不用垫付。", True),
        (_SECTIONS_ZH, "银会员每个自然年前 3 次免运费，之后每单 10 元。", True),
    ],
)
def test_what_another_section_says_is_not_said_of_an_item(text: str, claim: str, *, is_supported: bool) -> None:
    passage = Evidence(1, "a", "a.md", "", (), text, 0, len(text), 0, len(text), "zh" if "会员" in text else "en")
    assert bool(ground(claim, [passage]).citations) is is_supported


_PHOTOS = "You need a phone with a camera to take photos of your card with our tool. You cannot use a webcam."


@pytest.mark.parametrize(
    ("claim", "is_supported"),
    [
        ("You can't use a webcam to take photos of your card.", True),
        ("You can use a webcam to take photos of your card.", False),
        ("You can't use a phone to take photos of your card.", False),
    ],
)
def test_a_denial_may_stand_in_the_sentence_beside_what_it_is_about(claim: str, *, is_supported: bool) -> None:
    passage = Evidence(1, "a", "a.md", "", (), _PHOTOS, 0, len(_PHOTOS), 0, len(_PHOTOS), "en")
    assert bool(ground(claim, [passage]).citations) is is_supported
