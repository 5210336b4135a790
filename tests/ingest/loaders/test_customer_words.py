"""What somebody wrote is kept; what stands below it and their signature are not, in both languages' ways of mail."""

import time

import pytest

from ingest.loaders.customer_words import newest_words, plain_subject

ASKED = "Hello,\n\nmy order 1234 arrived with a scratch. Can I return it within 30 days?"
ASKED_ZH = "你好，\n\n订单 1234 收到时有划痕。\n注意：已经拆封。30 天内可以退吗？"
HISTORIES = {
    "gmail": "\n\nOn Mon, 3 Aug 2026 at 10:12, Desk <help@shop.example> wrote:\n\n> Dear Ann,\n> how can we help?\n",
    "gmail, wrapped": "\n\nOn Mon, 3 Aug 2026 at 10:12, The Help Desk of Tidewell <a.very.long.address@shop.example>\n"
    "wrote:\n> Dear Ann,\n",
    "apple": "\n\nOn 3 Aug 2026, at 10:12, Help Desk <help@shop.example> wrote:\n\nDear Ann,\nyour order left us.\n",
    "outlook": "\n\n________________________________\nFrom: Desk <help@shop.example>\nSent: Monday, 3 Aug 2026 10:12\n"
    "To: Ann\nSubject: RE: Order\n\nDear Ann,\nyour order left us.\n",
    "old outlook": "\n\n-----Original Message-----\nFrom: Help Desk\nSent: Monday\n\nDear Ann,\n",
    "gmail, zh": "\n\n王小明 <wang@example.cn> 于2026年8月3日周一 10:12写道：\n\n> 您好，\n> 订单已发货。\n",
    "163": '\n\n在 2026-08-03 10:12:00，"客服" <help@shop.example> 写道：\n\n您好，订单已发货。\n',
    "163, en": 'At 2026-08-03 10:12:00, "Desk" <help@shop.example> wrote:\n>Dear Ann,\n',
    "qq": '\n\n------------------ 原始邮件 ------------------\n发件人: "客服" <help@shop.example>;\n'
    '发送时间: 2026年8月3日(星期一) 上午10:12\n收件人: "Ann";\n主题: 订单\n\n您好，订单已发货。\n',
    "outlook, zh": "\n\n发件人: 客服 <help@shop.example>\n发送时间: 2026年8月3日 10:12\n收件人: Ann\n\n您好。\n",
}
SIGNATURES = {
    "mark": "\n\n-- \nAnn Example\n+44 20 7946 0000\nann@example.com",
    "closing": "\n\nKind regards,\nAnn Example\nExample Ltd, 1 Road, London",
    "thanks": "\n\nMany thanks!\nAnn",
    "telephone": "\n\nSent from my iPhone",
    "zh": "\n\n谢谢！\n王小明\n13800000000",
    "formal, zh": "\n\n此致\n敬礼\n王小明",
    "telephone, zh": "\n\n发自我的iPhone",
    "disclaimer": "\n\nThis e-mail and any attachments are confidential and intended for the addressee only.",
    "none": "",
}


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("asked", [ASKED, ASKED_ZH], ids=["en", "zh"])
def test_only_the_writers_own_words_stay(asked: str, signature: str, history: str) -> None:
    assert newest_words(asked + SIGNATURES[signature] + "\n" + HISTORIES[history]) == asked


def test_words_between_quoted_ones_stay() -> None:
    body = "On 3 Aug 2026, Desk wrote:\n> Which model?\nThe Drift R3.\n\n> Since when?\nSince 2 May.\n"
    assert newest_words(body) == "The Drift R3.\n\nSince 2 May."


@pytest.mark.parametrize(
    "body",
    [
        "It is:\n- dented\n- without its cable\n\nWhat now?",
        "From: the side it looks new.\nIs that normal?",
        "注意：屏幕碎了。\n怎么办？",
        "Thanks\n\nOne more thing: can I still send it back? It came on 3 May.",
        "You wrote: it takes 3 days. It took nine.",
        "客服在 8 月 3 日写道可以退，现在还行吗？",
        "Best\nof all would be a refund. Is that possible?",
    ],
)
def test_what_only_looks_like_an_end_is_none(body: str) -> None:
    assert newest_words(body) == body


def test_of_a_forwarded_mail_the_newest_words_are_taken() -> None:
    inner = f"{ASKED}\n\nKind regards\nAnn\n\nOn 1 Aug 2026, Desk wrote:\n> Hello"
    outlook = f"\nFrom: Ann <ann@example.com>\nSent: Monday\nTo: Desk\nSubject: Scratch\n\n{inner}"
    gmail = f"---------- Forwarded message ---------\nFrom: Ann <ann@example.com>\nDate: Mon\nSubject: Hi\n\n{inner}"
    quoted = "On 2 Aug 2026, Ann wrote:\n" + "\n".join(f"> {line}" for line in ASKED.split("\n"))
    assert [newest_words(body) for body in (outlook, gmail, quoted)] == [ASKED, ASKED, ASKED]


@pytest.mark.parametrize("body", ["", " \n ", ">", "--", "From: a\nTo: b", "-----Original Message-----"])
def test_nothing_is_nothing(body: str) -> None:
    assert newest_words(body).strip(" >") in ("", "--")


@pytest.mark.parametrize(
    ("subject", "plain"),
    [("Re: AW: Late", "Late"), ("回复：转发: 退款", "退款"), ("Re[2]: Late", "Late"), ("Return: how?", "Return: how?")],
)
def test_what_mail_programs_put_before_a_subject_is_left_out(subject: str, plain: str) -> None:
    assert plain_subject(subject) == plain


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        " " * 400_000 + "x",
        "Thanks\n" * 50_000 + "x",
        "On 1 Aug 2026, Ann wrote:\n> a\n" * 30_000,
        "From: a\nTo: b\n\n" * 30_000,
        "> " * 200_000 + "x",
        "On 1 a b wrote:\n" * 50_000,
        "From" + " " * 200_000 + "x",
        "-----Original Message-----" + " " * 100_000 + "x",
        "Re:" + " " * 100_000 + "x",
    ],
    ids=["blanks", "thanks", "quoted", "headers", "marks", "wrote", "from", "separator", "subject"],
)
def test_a_hostile_mail_is_read_in_time_that_grows_with_it(body: str) -> None:
    started = time.thread_time()
    newest_words(body)
    plain_subject(body[:100_000])
    assert time.thread_time() - started < 2  # 12 kB of blanks took 1.3 s, 40 kB 14 s


def test_a_sign_within_a_quoted_line_stays() -> None:
    assert newest_words("On 2 Aug 2026, Ann wrote:\n> > Is 5 > 3 days?") == "Is 5 > 3 days?"
