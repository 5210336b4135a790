"""What of a customer's message is its question, its story, and neither."""

import pytest

from rag.retrieval.message import CustomerMessage, read_message
from rag.text.sentences import split_sentences

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


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Hello,\n\nHow long is it?\n\nBest wishes\nMing Wang", "How long is it?"),
        ("Hi team,\nIs it free? My K2 leaks.\nThanks, Ann", "Is it free? My K2 leaks."),
        ("Is it free?\n\nKind regards,\nAnn Lee\n07700 900417", "Is it free?"),
        ("Good morning, is it free? Many thanks in advance!", "is it free?"),
        ("您好，\n怎么退货？\n谢谢！\n张伟", "怎么退货？"),
        ("客服您好：\n\n怎么退货？\n\n此致\n敬礼\n王芳 13800138000", "怎么退货？"),
        ("尊敬的客服：\n\n您好！\n怎么退货？\n\n此致\n敬礼\n李雷", "怎么退货？"),
        ("你好，请问怎么退货？谢谢！", "请问怎么退货？"),
        # who writes, and of which order
        ("Hi,\nthis is Ming Wang from Leeds. Is it free?", "Is it free?"),
        ("My name's Ann Lee, is it free?", "is it free?"),
        ("I am Ann Lee. My order no. is A-4471. How long is the warranty?", "How long is the warranty?"),
        ("您好，我叫张伟，门锁保修多久", "门锁保修多久"),
        ("我是老客户张伟。订单号：447188。\n门锁保修多久", "门锁保修多久"),
        # a part of what is asked
        ("My order is 4471-88. Where is it?", "My order is 4471-88. Where is it?"),
        ("Order 4471-88 has not come.", "Order 4471-88 has not come."),
        ("订单号 447188，什么时候发货", "订单号 447188，什么时候发货"),
        ("I am German. Do you ship there?", "I am German. Do you ship there?"),
        ("This is broken. Can I return it?", "This is broken. Can I return it?"),
        ("我是会员，运费多少", "我是会员，运费多少"),
        # what asks is no courtesy
        ("怎么退货？客服电话是多少？", "怎么退货？客服电话是多少？"),
        ("Is it free? Thanks, and how long is it?", "Is it free? Thanks, and how long is it?"),
        ("Hi kettle K3 leaks\nIs it free?", "Hi kettle K3 leaks\nIs it free?"),
        ("Thanks\nIs it free?", "Thanks\nIs it free?"),
        ("Dear customers get what?", "Dear customers get what?"),
        # nothing else is left
        ("Hello!", "Hello!"),
        ("谢谢", "谢谢"),
        ("Hi,\nThanks\nAnn", "Hi,\nThanks\nAnn"),
        ("Hi, this is Ann", "Hi, this is Ann"),
        ("Hi, order 4471-88", "Hi, order 4471-88"),
    ],
)
def test_a_short_mail_is_what_stands_between_greeting_and_signature(text: str, question: str) -> None:
    assert read_message(text) == CustomerMessage(question)


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


def test_a_long_mail_is_without_who_writes_it() -> None:
    story = "昨天晚上装好了以后一直在响，邻居都来敲门了，我爱人也睡不着，今天早上我又重新装了一遍，还是一样。"
    message = read_message(f"您好！我叫张伟，{story}这样响了一整夜的声音到底正常吗，还是坏了？")
    assert message == CustomerMessage("这样响了一整夜的声音到底正常吗，还是坏了？", story)


def test_the_anger_in_a_mail_is_part_of_its_story() -> None:
    story = "昨天晚上付的款，一共三百多块，今天上午打开还是慢，客户一个接一个打电话来骂，我侄子弄了两天也没弄好。"
    message = read_message(f"{story}收了钱不干活，这算什么？我这边还要点哪里才能恢复？")
    assert message == CustomerMessage("我这边还要点哪里才能恢复？", f"{story}\n收了钱不干活，这算什么？")


@pytest.mark.parametrize(
    ("story", "asked"),
    [
        (
            "We run it on an old machine in our studio. The stick it runs from is flaky, and the shop has a new one. "
            "My colleague says that this cannot work. We have no other machine for the evaluation.",
            "I'd like to carry on with the trial on a fresh one. OK?",
        ),
        (
            "我们这个小站准备收摊了，团队下周就解散，货都发完了，客诉也清零了。老板说能省一点是一点，服务器到月底也就到期了。",
            "所以打算月底直接把网站整个关掉。 这么干没问题吧？",
        ),
    ],
)
def test_whoever_asks_whether_that_is_so_means_the_sentence_before(story: str, asked: str) -> None:
    message = read_message(f"{story} {asked}")
    assert message.question == asked
    assert message.background.splitlines() == [story[one.start : one.end] for one in split_sentences(story)]


def test_whatever_asks_nothing() -> None:
    story = "今天清磁盘的时候手一抖，把整个目录都删了，复制、定时备份什么的统统没设过，老板还不知道，我手都在抖。"
    message = read_message(f"{story}能不能从后台把这些文件捞回来？收多少钱我都愿意出。")
    assert message == CustomerMessage("能不能从后台把这些文件捞回来？", f"{story}\n收多少钱我都愿意出。")


@pytest.mark.parametrize("text", ["How long is the warranty?", "洗衣机不转了，显示E4", "", "x" * 400])
def test_a_short_message_and_one_that_asks_nothing_are_their_own_question(text: str) -> None:
    assert read_message(text) == CustomerMessage(text)


def test_two_questions_in_one_sentence_stay_whole() -> None:
    text = "For our handbook: how long does a refund by card take, and how long one by bank transfer, " * 2 + "?"
    assert read_message(text).background == ""
