import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import QuestionEmpty, QuestionError, QuestionTooLong, QuestionWithoutWords
from rag.retrieval.message import CustomerMessage, read_message
from rag.retrieval.question import clean_question, needs_thought, parts_of
from rag.text.sentences import split_sentences


@pytest.mark.parametrize("text", ["", "   ", "\n\t\r\n", "\x00\x01\x1b", "\u200b\ufeff\u202e", "\ud800", "　　"])
def test_nothing_typed(text: str) -> None:
    with pytest.raises(QuestionEmpty):
        clean_question(text, 100)


@pytest.mark.parametrize("text", ["😀", "👨‍👩‍👧 ❤️", "？？？!!!", "...", "1️⃣", "🇨🇳🇬🇧", "——"])
def test_no_words(text: str) -> None:
    with pytest.raises(QuestionWithoutWords):
        clean_question(text, 100)


def test_too_long_says_how_long() -> None:
    with pytest.raises(QuestionTooLong) as caught:
        clean_question("退" * 20_000, 8000)
    assert caught.value.details == {"characters": 20_000, "limit": 8000}
    assert clean_question("退" * 8000, 8000) == "退" * 8000


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("  How do I\x00 return it?\x1b[31m ", "How do I return it?[31m"),
        ("first\x0bsecond\x85third", "first second third"),
        ("line one\r\nline two", "line one\nline two"),
        ("Ｅ０７ 报警", "Ｅ０７ 报警"),  # the person's own characters are kept
        ("\u202eabc\u202c", "abc"),
        ("谢谢👨‍👩‍👧", "谢谢👨‍👩‍👧"),
        ("re\u034ffund\ufe0f\U000e0041 \u3164fee", "refund fee"),
        ("404", "404"),
        ("①", "①"),
    ],
)
def test_cleaning(typed: str, cleaned: str) -> None:
    assert clean_question(typed, 100) == cleaned


@given(st.text(max_size=200))
def test_a_cleaned_question_stays_as_it_is_and_can_be_encoded(text: str) -> None:
    try:
        cleaned = clean_question(text, 200)
    except QuestionError:
        return
    assert clean_question(cleaned, 200) == cleaned
    assert cleaned.encode()
    assert "\x00" not in cleaned


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How long is the warranty?", False),
        ("E07", False),
        ("How long is the warranty and what does a repair cost?", True),
        ("Is the R2 cheaper to repair than a new one?", True),
        ("保修多久", False),
        ("退货仓库收到之后多久验完？微信付的什么时候到", True),
        ("R3换电池自费一共多少", True),
    ],
)
def test_which_questions_are_worth_a_thought(question: str, expected: bool) -> None:
    assert needs_thought(question) is expected


@pytest.mark.slow
def test_a_pasted_file_is_refused_before_it_is_looked_at() -> None:
    pasted = " " * 20_000_000 + "how?"  # this alone may take long
    started = time.thread_time()
    with pytest.raises(QuestionTooLong):
        clean_question(pasted, 8000)
    assert time.thread_time() - started < 0.1


def test_long_runs_of_blanks_are_cut() -> None:
    assert clean_question("how long" + " " * 7000 + "is it?", 8000) == "how long" + " " * 200 + "is it?"


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


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "Are you kidding me? How do I get it back, and who pays?",
            ("Are you kidding me? How do I get it back", "who pays"),
        ),
        ("钱都扣了两次了，这算什么？怎么退？", ()),
        ("凭什么扣我三十块？多久退给我？", ("凭什么扣我三十块", "多久退给我")),
        ("这是什么？怎么拆下来？", ("这是什么", "怎么拆下来")),
    ],
)
def test_mere_anger_is_no_question(text: str, parts: tuple[str, ...]) -> None:
    assert parts_of(text) == parts


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
