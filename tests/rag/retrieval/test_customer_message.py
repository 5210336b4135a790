"""What a mail asks, and what it only tells."""

import pytest

from rag.retrieval.customer_message import CustomerMessage, read_message

MAIL = """Hello support,

Brook Mensah here, I run the printing for a theatre in Leeds (brook@example.org, 07700 900417). Our licence ran out
while I was on holiday, and the printer was locked five days ago. The cat has stopped eating, though that may be chance.

By when must it be renewed so that the printer works again? And are we charged for the days in between?

Thanks a lot
Brook"""

CHINESE = """客服您好，
我是厦门一家书店的老郭（电话13800138000），上个月换了店长，交接没做好，收银机的授权过期了，今天是第三天。
请问：过期几天之内续费还能自动恢复？数据会不会被清掉？
谢谢
老郭"""


def test_the_questions_of_a_mail_are_found_and_its_story_is_its_background() -> None:
    message = read_message(MAIL)
    assert message.question.splitlines() == [
        "By when must it be renewed so that the printer works again?",
        "And are we charged for the days in between?",
    ]
    assert "the printer was locked five days ago" in message.background
    for personal in ("brook@example.org", "07700", "Hello support", "Thanks a lot"):
        assert personal not in message.background


def test_a_chinese_mail_is_read_alike() -> None:
    message = read_message(CHINESE)
    assert message.question.splitlines() == ["请问：过期几天之内续费还能自动恢复？", "数据会不会被清掉？"]
    assert "授权过期了" in message.background
    assert "13800138000" not in message.background
    assert "客服您好" not in message.background


@pytest.mark.parametrize("text", ["How long is the warranty?", "洗衣机不转了，显示E4", "", "x" * 400])
def test_a_short_message_and_one_that_asks_nothing_are_their_own_question(text: str) -> None:
    assert read_message(text) == CustomerMessage(text)


def test_two_questions_in_one_sentence_stay_whole() -> None:
    text = "For our handbook: how long does a refund by card take, and how long one by bank transfer, " * 2 + "?"
    assert read_message(text).background == ""
