"""A model that changes a fact is found out, and one that only changes words is not."""

from dataclasses import replace

import pytest

from rag.errors import FactsChanged
from rag.rewriting import check_rewritten, check_translated, usable_evidence
from tests.rag.test_rewriting_prompts import PASSAGE, UNCONFIRMED

ENGLISH = (
    "Yes, you can send it back within 30 days of delivery. From EU countries the label costs EUR 4.95, which is "
    "deducted from the refund. Opened filters are not taken back. For the Drift R3 see https://help.example.com/r3."
)
CHINESE = (
    "可以退。自签收次日零时起 7 天内可以申请无理由退货，通电试用不影响退货。未解绑的退件会被暂停质检。"
    "信用卡 3–7 个工作日到账。"
)


def refusal(before: str, after: str, **options: bool) -> str:
    with pytest.raises(FactsChanged) as found:
        check_rewritten(before, after, **options)
    return found.value.text("en")


@pytest.mark.parametrize(
    "after",
    [
        ENGLISH,
        ENGLISH.replace("Yes, you can", "Thank you so much for reaching out! You are very welcome to"),
        ENGLISH.replace("EUR 4.95", "€4.95").replace("30 days", "thirty days"),
        ENGLISH.replace("are not taken back", "cannot be taken back") + " Please do not hesitate to contact us.",
        ENGLISH + "\n\nWe understand how disappointed you are. Kind regards",
    ],
)
def test_other_words_are_taken(after: str) -> None:
    check_rewritten(ENGLISH, after)


def test_chinese_in_other_words_is_taken() -> None:
    after = "您好，可以退的。" + CHINESE.removeprefix("可以退。").replace("七天", "7 天") + "祝您生活愉快！"
    check_rewritten(CHINESE, after)
    check_rewritten(CHINESE, CHINESE.replace("7 天", "七天"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("30 days", "14 days", "The model changed “30 days” to “14 days”; the original text was kept."),
        ("EUR 4.95", "EUR 5.95", "changed “EUR 4.95” to “EUR 5.95”"),
        ("30 days", "30 hours", "30 hours"),
        ("EUR 4.95", "GBP 4.95", "GBP 4.95"),
        ("within 30 days of delivery", "within the time allowed after delivery", "left out “30 days”"),
        ("are not taken", "are taken", "“not”"),
        ("you can send", "you cannot send", "cannot send"),
        ("Drift R3", "Drift R4", "“r3” to “r4”"),
        ("https://help.example.com/r3", "https://help.example.org/r3", "help.example.org"),
        (" see https://help.example.com/r3.", " ask us.", ""),
        ("Opened filters are not taken back. ", "", "left out"),
        ("Opened", "We will send you a voucher as a gift. Opened", "voucher"),
    ],
)
@pytest.mark.parametrize("may_leave_out", [False, True])
def test_a_changed_fact_is_refused_in_words(old: str, new: str, said: str, may_leave_out: bool) -> None:
    assert old in ENGLISH
    assert said in refusal(ENGLISH, ENGLISH.replace(old, new), may_leave_out=may_leave_out)


@pytest.mark.parametrize(
    ("old", "new"),
    [("7 天", "15 天"), ("不影响", "影响"), ("未解绑", "解绑"), ("3–7 个工作日", "3–7 天"), ("可以申请", "不可以申请")],
)
def test_a_changed_fact_in_chinese_is_refused(old: str, new: str) -> None:
    assert refusal(CHINESE, CHINESE.replace(old, new))


def test_a_sentence_without_facts_may_go_only_where_it_is_to_be_shorter() -> None:
    before = "Keep the box for the courier. Send it back within 30 days."
    after = "Send it back within 30 days."
    check_rewritten(before, after, may_leave_out=True)
    assert "Keep the box" in refusal(before, after)


def test_what_the_passages_say_may_be_added_and_nothing_else() -> None:
    before = "You can send it back within 30 days of delivery."
    after = f"{before} The label costs EUR 4.95."
    check_rewritten(before, after, [PASSAGE], "What does the label cost?")
    with pytest.raises(FactsChanged):
        check_rewritten(before, after)
    with pytest.raises(FactsChanged):
        check_rewritten(before, after.replace("4.95", "3.95"), [PASSAGE], "What does the label cost?")
    with pytest.raises(FactsChanged):  # what was there must stay
        check_rewritten(before, "You can send it back. The label costs EUR 4.95.", [PASSAGE])
    internal = replace(PASSAGE, text="Leads may give a voucher of EUR 20.", end=35)
    with pytest.raises(FactsChanged):
        check_rewritten(before, after, [internal])


def test_what_nobody_has_confirmed_may_not_be_added() -> None:
    before = "You can send it back within 30 days of delivery."
    check_rewritten(before, f"{before} The label costs EUR 4.95.", usable_evidence([UNCONFIRMED]), "What does it cost?")
    for added in ("See https://evil.example/fees for all fees.", "See the page for all fees."):
        with pytest.raises(FactsChanged):
            check_rewritten(before, f"{before} {added}", usable_evidence([UNCONFIRMED]), "Where are all fees?")


TO_CHINESE = (
    "可以，您可以在收到货后 30 天内寄回。欧盟国家的退货标签费用为 4.95 欧元，将从退款中扣除。"
    "已拆封的滤网不予退回。Drift R3 请见 https://help.example.com/r3 。"
)
TO_ENGLISH = (
    "Yes, you can return it. You can ask for a return without giving reasons within 7 days from midnight after "
    "signing; trying it does not affect the return. Inspection is suspended for returns that have not been unbound. "
    "Credit cards are refunded in 3 to 7 working days."
)


def test_a_translation_is_taken() -> None:
    check_translated(CHINESE, TO_ENGLISH)
    check_translated(ENGLISH, TO_CHINESE)
    check_translated(
        "Your order W-203 of 1 April 2026 arrives at 10:30. It costs £5 and two cables are included.",
        "您 2026年4月1日 的订单 W-203 将于 10:30 送达。费用为 5 英镑，含两根线。",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("30 天", "14 天"),
        ("4.95 欧元", "4.95 英镑"),
        ("不予退回", "可以退回"),
        ("Drift R3", "Drift"),
        ("help.example.com", "help.example.cn"),
        ("已拆封的滤网不予退回。", ""),
        ("可以，", "可以，您还会收到 20 欧元的优惠券。"),
    ],
)
def test_a_changed_fact_in_a_translation_is_refused(old: str, new: str) -> None:
    assert old in TO_CHINESE
    with pytest.raises(FactsChanged):
        check_translated(ENGLISH, TO_CHINESE.replace(old, new))


def test_figures_that_changed_places_between_sentences_are_seen() -> None:
    before = "Gold members have 60 days. All others have 30 days."
    check_translated(before, "金卡会员有 60 天。其他会员有 30 天。")
    with pytest.raises(FactsChanged):
        check_translated(before, "金卡会员有 30 天。其他会员有 60 天。")


def test_a_text_that_was_cut_short_is_no_translation() -> None:
    long = "The box is brown. The lid is green. The hose is grey. The cable is black."
    with pytest.raises(FactsChanged, match="whole sentences"):
        check_translated(long, "盒子是棕色的。")
