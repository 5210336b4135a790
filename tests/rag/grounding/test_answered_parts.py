"""Which parts of a question a reply answers."""

from dataclasses import replace

import pytest

from rag.grounding.answered_parts import PartsOfReply, lacks_expected_value, says_not_found, stating_spans
from rag.grounding.citations import ground
from rag.retrieval.question import message_parts
from rag.schema import Evidence, Language, TextSpan
from rag.text.language import text_language

TRIAL = (
    "The free trial lasts 30 days. Scheduled backups are kept in the vault. Each bucket can have 10 rules, "
    "and a failed job is repeated after one hour. How long a recovery takes differs from file to file."
)
CODES = "| Code | Meaning |\n|---|---|\n| E05 | Wheel in the air |\n| E07 | Sensors covered |"
PRICES = "| Plan | Monthly fee (USD) |\n|---|---|\n| Basic | 4.50 |\n| Large | 9 |"
ZH = "寄到挪威的运费是 12 元。免费试用期为 30 天。每个实例最多只能绑定 10 个存储空间。备份完成后文件保存在备份库中。"


def evidence(text: str, language: Language = "en") -> tuple[Evidence, ...]:
    return (Evidence(1, "a.md", "a.md", "Backups", (), text, 0, len(text), 0, len(text), language),)


def open_parts(question: str, reply: str, text: str, language: Language = "en") -> tuple[str, ...]:
    read = evidence(text, language)
    return PartsOfReply(reply, ground(reply, read, question), read, question, message_parts(question)).unanswered


@pytest.mark.parametrize(
    ("question", "reply", "text", "unanswered"),
    [
        # nothing is said of it
        ("How long is the free trial? What is the price of a rule?", "The free trial lasts 30 days.", TRIAL,
         ("What is the price of a rule",)),
        # what is said of it is made up, or has another unit in the documents
        ("How many rules can a bucket have? What does each rule cost?",
         "Each bucket can have 10 rules. Each rule costs USD 10.", TRIAL, ("What does each rule cost",)),
        # one figure answers one part only
        ("How long is the free trial? How long does a recovery take?", "The free trial lasts 30 days.", TRIAL,
         ("How long does a recovery take",)),
        ("How long is the free trial? After how many hours is a failed job repeated?",
         "The free trial lasts 30 days. A failed job is repeated after one hour.", TRIAL, ()),
        # a figure that is repeated answers no other part, unless it is said of that one, too
        ("How long is the free trial? How long does a recovery take?",
         "The free trial lasts 30 days. So you have 30 days.", TRIAL, ("How long does a recovery take",)),
        ("How long is the free trial? How long is the test of the vault?",
         "Free trial and test of the vault last 30 days.", "Free trial and test of the vault last 30 days each.", ()),
        # a figure belongs to the part whose words stand beside it
        ("How long is a backup kept? Up to how many days can you extend it?", "You can extend it up to 7 days.",
         "A backup is kept for 24 hours, and you can extend it up to 7 days.", ("How long is a backup kept",)),
        # a price without a currency, as its table has none
        ("How do I rinse the brush? What does a new filter set cost?", "A new filter set costs 18.90.",
         "| Article | Price |\n|---|---|\n| Filter set | 18.90 |\n| Brush | 9.50 |", ("How do I rinse the brush",)),
        # a digit that something else has is no answer, and one beside the same words is
        ("Who can add a rule? How many screens does the phone show?",
         "Admins can add a rule. The phone shows 3 screens.", "Admins can add a rule. A bucket has 3 sizes.",
         ("How many screens does the phone show",)),
        ("Who can add a rule? How many screens does the phone show?",
         "Admins can add a rule. Your phone shows 3 of them, one below the other.",
         "Admins can add a rule. The phone shows 3 screens, one below the other.", ()),
        # a figure of the question is no answer to it
        ("Is a failed job repeated? How many days do 10 rules take?",
         "A failed job is repeated. Each bucket can have 10 rules.", TRIAL, ("How many days do 10 rules take",)),
        # the figure is another place's
        ("How long is the free trial? What does a recovery from Iceland cost?",
         "The free trial lasts 30 days. A recovery from Iceland costs USD 9.", TRIAL + " A recovery costs USD 9.",
         ("What does a recovery from Iceland cost",)),
        ("How many days to Iceland? How long is the free trial?", "The free trial lasts 30 days.", TRIAL,
         ("How many days to Iceland",)),
        # words answer what asks for no figure
        ("How long is the free trial, and where are backups kept?",
         "The free trial lasts 30 days. Scheduled backups are kept in the vault.", TRIAL, ()),
        ("How long is the free trial, and is there a connector to Splunk?", "The free trial lasts 30 days.", TRIAL,
         ("is there a connector to Splunk",)),
        # the question's words before something else are no answer
        ("How long is the free trial, and who pays for a recovery of the vault?",
         "The free trial lasts 30 days. Of a recovery, a failed job is repeated after one hour.", TRIAL,
         ("who pays for a recovery of the vault",)),
        # a row of codes has no other word of the question
        ("My robot shows E07 since today. What does E07 mean? Can I send it back?", "The sensors are covered.", CODES,
         ("Can I send it back",)),
        ("My robot stopped. It shows E07 since today, and nobody has touched it in this house, as we were in France for"
         " a week and came home today.\nWhat does it mean?\nWho pays for the van?", "The sensors are covered.", CODES,
         ("Who pays for the van?",)),
        # a date answers what asks until when, unless it is the question's own
        ("Until when can we send it back? Who pays for the van?", "Gifts may be returned until 31 January 2027.",
         "Gifts may be returned until 31 January 2027.", ("Who pays for the van",)),
        ("Until when can we send it back? Who drives the van on 3 January 2027?",
         "Bo drives the van on 3 January 2027.", "Bo drives the van on 3 January 2027.",
         ("Until when can we send it back",)),
        ("What does E09 mean? Can I send it back?", "The sensors are covered.", CODES,
         ("What does E09 mean", "Can I send it back")),
        # the reply tells so itself
        ("How long is the free trial? Is there a connector to Splunk?",
         "The free trial lasts 30 days. The documents do not mention a connector to Splunk.", TRIAL, ()),
        # a cell's unit stands in its header
        ("What does the Basic plan cost? How many users does it have?",
         "The Basic plan has a monthly fee of USD 4.50.", PRICES, ("How many users does it have",)),
    ],
)  # fmt: skip
def test_a_part_is_answered_by_what_is_supported(
    question: str, reply: str, text: str, unanswered: tuple[str, ...]
) -> None:
    assert open_parts(question, reply, text) == unanswered


@pytest.mark.parametrize(
    ("question", "reply", "text", "left"),
    [
        # a made-up figure, also where something else has its number
        ("How long is the free trial? How many hours does a recovery take?",
         "The free trial lasts 30 days. A recovery takes 10 hours.", TRIAL, "The free trial lasts 30 days. "),
        ("免费试用几天？恢复 1TB 要几个小时？", "免费试用期为 30 天。恢复 1TB 大约要 12 小时。", ZH,
         "免费试用期为 30 天。"),
        # a digit that something else has
        ("短文本最多填多少字？手机上一屏显示几行？", "短文本最多256个字符。手机上一屏显示3行。",
         "短文本接受最多 256 个字符。\n\n发布分为 3 步，段落没有长度限制。", "短文本最多256个字符。"),
        # another place's figure
        ("How long is the free trial? How many hours does a recovery in Iceland take?",
         "The free trial lasts 30 days. In Iceland it takes one hour.", TRIAL, "The free trial lasts 30 days. "),
        # a made-up yes
        ("How long is the free trial, and is there a connector to Splunk?",
         "The free trial lasts 30 days. There is a connector to Splunk.", TRIAL, "The free trial lasts 30 days. "),
        # a sentence that answers another part stays, and so do steps
        ("How long is the free trial? How many hours does a recovery take?",
         "The free trial lasts 30 days and a recovery takes 10 hours.", TRIAL,
         "The free trial lasts 30 days and a recovery takes 10 hours."),
        ("How long is the free trial, and how do I recover a file?",
         "The free trial lasts 30 days. 1. Open the page. 2. Press Recover.", TRIAL,
         "The free trial lasts 30 days. 1. Open the page. 2. Press Recover."),
    ],
)  # fmt: skip
def test_what_is_made_up_about_an_open_part_is_found(question: str, reply: str, text: str, left: str) -> None:
    language: Language = text_language(text)
    read = evidence(text, language)
    of_reply = PartsOfReply(reply, ground(reply, read, question), read, question, message_parts(question))
    for span in reversed(of_reply.invented_sentences()):
        reply = reply[: span.start] + reply[span.end :]
    assert reply == left


def test_a_place_that_only_the_other_language_could_name_is_not_answered() -> None:
    question, reply = (
        "What are the rules? What does a rule cost a month in Frankfurt?",
        "A rule in Frankfurt costs 9 yuan.",
    )
    assert open_parts(question, reply, "每条规则每月 9 元。", "zh") == message_parts(question)
    assert open_parts(question, reply, "法兰克福的规则每月 9 元。", "zh") == ()


@pytest.mark.parametrize(
    ("question", "reply", "unanswered"),
    [
        ("一个实例最多绑几个存储空间？不够了怎么办？", "每个实例最多只能绑定 10 个存储空间。", ()),
        ("免费试用几天？恢复 1TB 要几个小时？", "免费试用期为 30 天。", ("恢复 1TB 要几个小时",)),
        ("一个实例最多绑几个存储空间？预留费一小时多少钱？",
         "每个实例最多只能绑定 10 个存储空间。预留费一小时是 10 元。", ("预留费一小时多少钱",)),
        ("免费试用几天？寄到冰岛的运费是多少钱？",
         "免费试用期为 30 天。寄到冰岛的运费是 12 元。", ("寄到冰岛的运费是多少钱",)),
        ("寄到冰岛要几天？免费试用几天？", "免费试用期为 30 天。", ("寄到冰岛要几天",)),
        ("免费试用几天？寄到挪威的运费是多少钱？", "免费试用期为 30 天。寄到挪威的运费是 12 元。", ()),
        ("免费试用几天？备份的文件保存在哪里？", "免费试用期为 30 天。备份文件保存在备份库中。", ()),
    ],
)  # fmt: skip
def test_in_chinese_too(question: str, reply: str, unanswered: tuple[str, ...]) -> None:
    assert open_parts(question, reply, ZH, "zh") == unanswered


POSTAGE = "换货运费：\n\n| 情形 | 寄回 | 寄出 |\n|---|---|---|\n| 质量换货 | 商城承担 | 商城承担 |\n\n保修期为两年。"
PORTS = "## Ports and protocols\n\n| Service | Protocol |\n|---|---|\n| Relay | TCP |\n| Vault | UDP |"


@pytest.mark.parametrize(
    ("question", "reply", "text", "unanswered"),
    [
        ("保修期多长？运费谁出？", "保修期为两年。运费是商城承担。", POSTAGE, ()),
        ("保修期多长？运费谁出？", "保修期为两年。质量换货由商城承担。", POSTAGE, ("运费谁出",)),
        ("How long does it last? Which ports does the vault need?", "The ports of it: UDP for the vault.", PORTS,
         ("How long does it last",)),
        ("Who keeps the vault? Which ports does it need?", "The vault has UDP.", PORTS, ("Which ports does it need",)),
        ("Who keeps the vault? Which ports does it need?", "The ports of the vault: UDP.", PORTS, ()),
    ],
)  # fmt: skip
def test_a_cited_row_is_about_what_stands_above_its_table(
    question: str, reply: str, text: str, unanswered: tuple[str, ...]
) -> None:
    assert open_parts(question, reply, text, text_language(question)) == unanswered


@pytest.mark.parametrize(
    ("asked", "reply", "lacks"),
    [
        ("How long is the free trial?", "The free trial lasts 30 days.", False),
        ("How long is the free trial?", "Scheduled backups are kept in the vault.", True),
        ("How long does a recovery take?", "How long a recovery takes differs from file to file.", False),
        ("How long is the trial? Can I keep it for years?", "Each bucket can have 10 rules.", True),
        ("How long is the trial? Can I keep the backups?", "Scheduled backups are kept in the vault.", False),
        ("What does a rule cost?", "Each bucket can have 10 rules.", True),
        ("What number goes into the field for rules?", "Each bucket can have 10 rules.", False),
        ("Which number can I call?", "Each bucket can have 10 rules.", True),
        ("Where are backups kept?", "Scheduled backups are kept in the vault.", False),
        ("I do not know how long I had it, can I keep backups?", "Scheduled backups are kept in the vault.", False),
    ],
)  # fmt: skip
def test_a_reply_without_the_figure_that_is_asked_for(asked: str, reply: str, *, lacks: bool) -> None:
    read, parts = evidence(TRIAL), message_parts(asked) or (asked,)
    unanswered = PartsOfReply(reply, ground(reply, read, asked), read, asked, parts).unanswered
    assert lacks_expected_value(reply, parts, unanswered) is lacks


def test_a_figure_whose_unit_stands_in_the_corner_of_its_table_is_the_one_that_is_asked_for() -> None:
    rows = (
        "| 单价（元/G/月） | 2TB | 5TB |",
        "| --- | --- | --- |",
        "| 标准型 | 1.44 | 0.75 |",
        "| 高级型 | 2.16 | 1.44 |",
    )
    read = [replace(one, sent=(TextSpan(one.start, one.end),)) for one in evidence("\n".join(rows))]
    asked, reply = "高级型2TB那档一个G一个月是几块几？", "高级型2TB的单价是2.16元/G/月。"
    unanswered = PartsOfReply(reply, ground(reply, read, asked), read, asked, [asked]).unanswered
    assert not lacks_expected_value(reply, [asked], unanswered)


@pytest.mark.parametrize(
    "reply",
    [
        "The documents do not say.",
        "According to our documents, the price of the chime is not specified.",
        "According to the documents, there is no mention of it.",
        "The documents don't mention the price of the chime.",
        "The document does not provide information about E99.",
        "The provided documents do not explicitly state the length of the cord.",
        "The power cord's length is not specified in the documents.",
        "There is no information about airline miles in the documents.",
        "Hello! The documents do not say. Please contact our support team.",
        "资料中没有说明。",
        "资料未提及保修期。",
        "资料里对机身高度没有具体说明，请联系客服。",
        "没有说明。",
        "没有找到关于机身高度的信息。",
    ],
)
def test_an_honest_not_found(reply: str) -> None:
    assert says_not_found(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "You have 30 days.",
        "You have 30 days. The documents do not say what happens afterwards.",
        "The documents do not name a bracket, but the lamp weighs little. It is sold for EUR 59.",
        "You do not need to provide the invoice.",
        "退款 7 天到账。",
        "没有发票也可以保修。",
        "未拆封的商品可以退货。",
        "",
    ],
)
def test_answers(reply: str) -> None:
    assert not says_not_found(reply)


def stated(part: str, text: str, question: str = "", language: Language = "en") -> list[str]:
    return [span.text for span in stating_spans(part, evidence(text, language), question or part)]


def test_the_sentence_that_states_a_figure_is_the_nearest_with_one_of_its_kind() -> None:
    asked = "After how many hours is a failed job repeated"
    text = (
        f"A job that failed is repeated up to 5 times. Jobs that failed must be repeated by hand for two days. {TRIAL}"
    )
    assert stated(asked, text) == [
        "Jobs that failed must be repeated by hand for two days.",
        "Each bucket can have 10 rules, and a failed job is repeated after one hour.",
    ]


@pytest.mark.parametrize(
    ("part", "text", "question"),
    [
        ("Where are scheduled backups kept", TRIAL, ""),  # asks for no figure
        ("How long does scheduling a vault take", TRIAL, ""),  # no sentence about it has one
        ("How long does the trial last in Iceland for free", TRIAL, ""),  # nobody speaks of Iceland
        ("How long does the free trial last", TRIAL, "I had 30 days. How long does the free trial last?"),
        ("How long is it", TRIAL, ""),  # too few words to know what about
    ],
)
def test_no_sentence_states_it(part: str, text: str, question: str) -> None:
    assert stated(part, text, question) == []


def test_in_chinese_a_row_states_it_too() -> None:
    text = "| 支付方式 | 退款到账时间 |\n|---|---|\n| 支付宝 | 1 个工作日 |\n| 信用卡 | 3–7 个工作日 |"
    assert stated("信用卡退款要几个工作日", text, language="zh")[0] == "| 信用卡 | 3–7 个工作日 |"
    assert stated("前几天信用卡退款有没有到账", text, language="zh") == []  # 前几天 asks nothing
