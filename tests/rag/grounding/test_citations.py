"""Citations by hand-labelled sentences, and what must hold for any text at all."""

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.grounding.citations import Grounding, ground, has_its_figures_from, states_nothing
from rag.schema import Evidence, Language, TextSpan
from tests.support.labelled import LabelledSentence, labelled_sentences

LABELLED = labelled_sentences()
PASSAGES = tuple(
    replace(passage, number=number)
    for number, passage in enumerate({p.document_id: p for row in LABELLED for p in row.evidence}.values(), start=1)
)


def _found(grounding: Grounding) -> str:
    return "unsupported" if grounding.unsupported else "supported" if grounding.citations else "nothing"


def _judged() -> list[tuple[LabelledSentence, Grounding]]:
    return [(row, ground(row.sentence, row.evidence, row.question)) for row in LABELLED]


def test_the_labelled_set_is_varied() -> None:
    labels = Counter(row.label for row in LABELLED)
    assert len(LABELLED) >= 60
    assert min(labels["supported"], labels["unsupported"]) >= 30
    kinds = {row.kind for row in LABELLED}
    assert {"wrong number", "wrong unit", "negation flipped", "wrong product", "wrong code", "not there"} <= kinds


@pytest.mark.slow
def test_precision_and_recall_on_the_labelled_set() -> None:
    pairs = Counter((row.label, _found(grounding)) for row, grounding in _judged())
    supported = sum(count for (_, found), count in pairs.items() if found == "supported")
    right = pairs["supported", "supported"]
    precision, recall = right / supported, right / sum(n for (label, _), n in pairs.items() if label == "supported")
    assert precision >= 0.95, pairs
    assert recall >= 0.95, pairs
    assert pairs["nothing", "nothing"] == sum(row.label == "nothing" for row in LABELLED)


@pytest.mark.slow
def test_the_right_place_is_quoted() -> None:
    wrong = [
        row.sentence
        for row, grounding in _judged()
        if row.label == "supported" and not any(row.quote in citation.quote for citation in grounding.citations)
    ]
    assert len(wrong) <= 2, wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["wrong number", "wrong unit", "wrong code", "wrong product", "wrong currency", "wrong column"]
)
def test_wrong_figures_are_never_supported(kind: str) -> None:
    supported = [row.sentence for row, grounding in _judged() if row.kind == kind and not grounding.unsupported]
    assert supported == []


def test_a_sentence_that_rests_on_two_places_cites_both() -> None:
    row = next(row for row in LABELLED if row.kind == "two places")
    quotes = [citation.quote for citation in ground(row.sentence, row.evidence).citations]
    assert len(quotes) == 2
    assert any("2 个工作日" in quote for quote in quotes)
    assert any("微信" in quote for quote in quotes)


def test_a_line_that_introduces_a_list_supports_what_repeats_it_with_its_item() -> None:
    head, item = (
        "- 如果所有下载依然停滞：关闭 Steam，然后删除以下目录的内容：",
        "  - C:\\Program Files (x86)\\Steam\\steamapps\\workshop\\downloads",
    )
    text = f"{head}\n{item}\n- 重新启动 Steam。"
    passage = Evidence(1, "a", "a.md", "下载", (), text, 0, len(text), 0, len(text), "zh")
    reply = f"{head.removeprefix('- ')}{item.removeprefix('  - ')}。"
    grounding = ground(reply, [passage], "下载卡住了怎么办")
    assert not grounding.unsupported
    assert [citation.quote for citation in grounding.citations] == [head.strip(), item.strip()]
    invented = ground("如果所有下载依然停滞，请联系银行并冻结信用卡。", [passage], "下载卡住了怎么办")
    assert invented.unsupported


def test_what_holds_now_is_cited_before_what_has_expired() -> None:
    text = "You can return items within 30 days."
    old = Evidence(1, "old", "old.md", "Returns", (), text, 0, len(text), 0, len(text), "en")
    expired = replace(old, expired_on=date(2026, 3, 31))
    new = replace(old, number=2, document_id="new")
    assert [c.document_id for c in ground("Items can be returned within 30 days.", [expired, new]).citations] == ["new"]


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        ("If you live in Ireland, the label is free.", False),
        ("If you live in Northern Ireland, the label is free.", True),
        ("From the UK mainland the label is free.", True),
    ],
)
def test_a_name_that_is_part_of_another_is_not_the_same_place(answer: str, *, is_supported: bool) -> None:
    text = "| Where you return from | Label |\n|---|---|\n| UK mainland, Northern Ireland | free |"
    rows = Evidence(1, "a", "a.md", "Cost of the label", (), text, 0, len(text), 0, len(text), "en")
    found = ground(answer, [rows], "Who pays the return label if I live in Ireland?")
    assert bool(found.citations) is is_supported
    assert bool(found.unsupported) is not is_supported


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        ("寄到冰岛的运费是 12 元。", False),
        ("寄到挪威的运费是 12 元。", True),
        ("冰岛不能寄，只能寄到挪威。", True),
    ],
)
def test_what_a_passage_says_of_one_country_is_not_said_of_another_in_chinese(
    answer: str, *, is_supported: bool
) -> None:
    text = "寄到挪威的運費是 12 元，五天送到。只能寄到挪威，不能寄到其他国家。"
    read = Evidence(1, "a", "a.md", "运费", (), text, 0, len(text), 0, len(text), "zh")
    found = ground(answer, [read], "寄到冰岛的运费是多少？")
    assert bool(found.citations) is is_supported


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        ("1. Press the reset button for 5 seconds.\n2. Wait for the green light.", True),
        ("1. Press the reset button for 7 seconds.\n2. Wait for the green light.", False),
        ("1) 长按复位键 5 秒。", True),
    ],
)
def test_steps_may_be_numbered_anew(answer: str, *, is_supported: bool) -> None:
    text = "4. Press the reset button for 5 seconds.\n5. Wait for the green light.\n6. 长按复位键 5 秒。"
    passage = Evidence(1, "a", "a", "", (), text, 0, len(text), 0, len(text), "zh" if "复" in answer else "en")
    assert (ground(answer, [passage]).unsupported == ()) is is_supported


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        ("The warranty on the kettle is 3 years.", False),  # units of a let
        ("The warranty on the kettle is 5 years.", False),  # steps of a temperature; nothing of it is told in years
        ("The warranty on the kettle is 24 weeks.", False),  # a day in December
        ("The warranty on the kettle is 24 months.", True),  # two years
        ("The warranty on the kettle is 2 years.", True),
        ("The warranty on the toaster is 4 years.", True),  # the header has the unit
        ("The display of the kettle shows steps of 5 degrees.", True),
        ("Lets with more than 3 units are covered for 12 months.", True),
    ],
)
def test_a_number_of_something_else_supports_no_figure(answer: str, *, is_supported: bool) -> None:
    warranty = (
        "The warranty on the kettle is two years. Use in a business (a let with more than 3 units) is covered for "
        "12 months only. Whoever bought it before 24 December gets a warranty card.\n\n"
        "| Product | Warranty (years) |\n|---|---|\n| Toaster | 4 |"
    )
    display = "The display of the kettle shows 40 to 100 degrees in steps of 5."
    read = [
        Evidence(number, name, f"{name}.md", "Kettle", (), text, 0, len(text), 0, len(text), "en")
        for number, (name, text) in enumerate((("warranty", warranty), ("display", display)), start=1)
    ]
    found = ground(answer, read, "How long is the warranty on the kettle?")
    assert bool(found.citations) is is_supported
    assert bool(found.unsupported) is not is_supported


@pytest.mark.parametrize(
    "sentence",
    [
        "希望能帮到您！",
        "Let me know if you have other questions.",
        "Thanks!",
        "👍",
        "步骤如下：",
        "进行操作。",
        "**总结：**",
        "Summary:",
        "You're correct.",
    ],
)
def test_sentences_that_state_nothing(sentence: str) -> None:
    assert states_nothing(sentence)
    assert ground(sentence, PASSAGES) == Grounding((), ())


def test_without_evidence_every_claim_is_unsupported() -> None:
    grounding = ground("You have 30 days. It is free.", ())
    assert grounding.citations == ()
    assert len(grounding.unsupported) == 2


_PIECES = st.lists(
    st.one_of(st.sampled_from([row.sentence for row in LABELLED]), st.text(max_size=40)), max_size=6
).map(" ".join)


@pytest.mark.slow
@given(_PIECES)
def test_offsets_are_exact_and_no_sentence_is_both(text: str) -> None:
    grounding = ground(text, PASSAGES)
    by_document = {passage.document_id: passage for passage in PASSAGES}
    cited = set()
    for citation in grounding.citations:
        passage = by_document[citation.document_id]
        assert 0 <= citation.start < citation.end <= len(text)
        assert passage.start <= citation.quote_start < citation.quote_end <= passage.end
        assert passage.text[citation.quote_start - passage.start : citation.quote_end - passage.start] == citation.quote
        cited.add((citation.start, citation.end))
    unsupported = {(span.start, span.end) for span in grounding.unsupported}
    assert not cited & unsupported
    ordered = sorted(cited | unsupported)
    assert all(first[1] <= second[0] for first, second in pairwise(ordered))


@pytest.mark.slow
@given(st.integers(100, 9_999))
def test_a_number_that_is_nowhere_is_never_supported(number: int) -> None:
    sentence = f"Standard delivery to Ireland costs EUR {number}."
    grounding = ground(sentence, PASSAGES)
    assert grounding.citations == ()
    assert len(grounding.unsupported) == 1


def test_a_short_sentence_is_compared_by_its_figure_as_well() -> None:
    passage = Evidence(1, "a.md", "a.md", "App", (), "You can invite 5 people.", 0, 24, 0, 24, "en")
    assert ground("You can invite 5 people.", [passage]).citations
    assert ground("You can not invite 5 people.", [passage]).unsupported


@pytest.mark.parametrize(
    ("answer", "source"),
    [
        ("你最多能开100个桶。", "同一阿里云账号在同一地域内创建的存储空间总数不能超过 100 个。"),
        ("加速器的最小容量是20TB。", "加速器扩容或缩容的值必须是5的整数倍，且加速器的最低容量不得低于20 TB。"),
        ("根据资料，这俩存储费加起来是0.78元。", "该文件当月的存储费用为：4 GB×0.12元+5 GB×0.12元÷2=0.78元。"),
        ("According to the documents, it is 5 GB at most.", "An object that is uploaded here cannot exceed 5 GB."),
    ],
)
def test_a_limit_is_the_same_however_it_is_put(answer: str, source: str) -> None:
    language: Language = "en" if answer.isascii() else "zh"
    passage = Evidence(1, "a.md", "a.md", "限制", (), source, 0, len(source), 0, len(source), language)
    assert ground(answer, [passage], "上限是多少").citations


@pytest.mark.parametrize(
    ("answer", "is_supported"),
    [
        ("Custom domains containing wildcards are not supported.", True),
        ("Custom domains containing wildcards are supported.", False),
        ("Once the retention policy is locked, you cannot delete this policy.", True),
        ("Once the retention policy is locked, you can delete this policy.", False),
    ],
)
def test_a_sentence_that_says_it_all_settles_what_another_says_in_like_words(
    answer: str, *, is_supported: bool
) -> None:
    text = (
        "Domain names that contain wildcards are not supported. When you map a custom domain name to a bucket, the "
        "domain name cannot contain wildcards. If the retention policy is locked, no one can delete this policy."
    )
    passage = Evidence(1, "a.md", "a.md", "Limits", (), text, 0, len(text), 0, len(text), "en")
    assert bool(ground(answer, [passage], "Custom domains: can I map *.example.com?").citations) is is_supported


@pytest.mark.parametrize(
    "answer",
    [
        "The documents clearly state that styles are limited to 50.",
        'Our documents say: "Styles are limited to 50."',
        "资料中明确说明，最多50个样式。",
    ],
)
def test_where_a_model_has_it_from_is_no_part_of_what_it_states(answer: str) -> None:
    source = "Styles are limited to 50." if answer.isascii() else "最多 50 个样式。"
    passage = Evidence(
        1, "a.md", "a.md", "", (), source, 0, len(source), 0, len(source), "en" if answer.isascii() else "zh"
    )
    assert ground(answer, [passage]).citations


@pytest.mark.parametrize(
    ("reply", "is_marked"),
    [
        ("标签不能重复。不能。", False),
        ("标签不能重复。\n\n能。", True),
        ("归档文件需要先解冻才能修改。不能。", False),
        ("最多 50 个样式。不能。", True),
        ("最多 50 个样式。能。", False),
        ("You get a free box. Yes.", True),
        ("能。最多 50 个样式。", False),
    ],
)
def test_a_verdict_that_does_not_follow_from_the_sentence_before_it_is_marked(reply: str, *, is_marked: bool) -> None:
    source = "标签不能重复。归档文件需要先解冻才能修改。最多 50 个样式。"
    passage = Evidence(1, "a.md", "a.md", "", (), source, 0, len(source), 0, len(source), "zh")
    marked = [reply[span.start : span.end] for span in ground(reply, [passage], "能吗").unsupported]
    assert any(one.rstrip("。.") in ("能", "不能", "Yes") for one in marked) is is_marked


@pytest.mark.parametrize(
    ("reply", "question", "language", "is_supported"),
    [
        (
            "资料中写道“把家庭转给别人：选择对方，48 小时内确认”，所以健身房的年卡可以转给朋友。",
            "健身房的年卡能转给朋友吗？",
            "zh",
            False,
        ),
        (
            "资料中写道“把家庭转给别人：选择对方，48 小时内确认”，所以对方要在 48 小时内确认。",
            "对方多久内要确认？",
            "zh",
            True,
        ),
        (
            '"A guest\'s access ends after 30 days", so your gym membership ends after 30 weeks.',
            "And my membership?",
            "en",
            False,
        ),
        (
            '"A guest\'s access ends after 30 days", so the access of a guest ends after 30 days.',
            "How long?",
            "en",
            True,
        ),
    ],
)
def test_what_a_sentence_concludes_from_its_quotation_needs_support_of_its_own(
    reply: str, question: str, language: Language, *, is_supported: bool
) -> None:
    source = {
        "zh": "把家庭转给别人：选择对方，48 小时内确认。",
        "en": "A guest's access ends after 30 days. A guest has no access to the door lock.",
    }[language]
    passage = Evidence(1, "a.md", "a.md", "", (), source, 0, len(source), 0, len(source), language)
    assert (not ground(reply, [passage], question).unsupported) is is_supported


@pytest.mark.parametrize(
    ("answer", "source", "language", "is_supported"),
    [
        # a time in another unit of something else, where a nearer sentence has the right one
        ("After a restore the file stays readable for one minute.",
         "A restore takes one minute. After a restore the file stays readable for 24 hours.", "en", False),
        ("A restore of the file takes one minute.",
         "A restore takes one minute. After a restore the file stays readable for 24 hours.", "en", True),
        # a place that is not named in the other language either
        ("A month in Frankfurt costs 9 yuan.", "每月 9 元。", "zh", False),
        ("A month in Frankfurt costs 9 yuan.", "法兰克福每月 9 元。", "zh", True),
    ],
)  # fmt: skip
def test_a_figure_of_something_else_supports_nothing(
    answer: str, source: str, language: Language, *, is_supported: bool
) -> None:
    passage = Evidence(1, "a.md", "a.md", "", (), source, 0, len(source), 0, len(source), language)
    assert bool(ground(answer, [passage], "How long, and how much in Frankfurt?").citations) is is_supported


@pytest.mark.parametrize(
    ("answer", "source", "is_supported"),
    [
        # a digit of the question, which the other language's passage has of something else
        ("Look for the option to enable 2FA.", "2. 在打开的页面输入 2 个验证码。", False),
        ("Enable 2FA in Drift.", "在 Drift 的设置中启用 2FA。", True),
        ("You can have 3 projects.", "每人最多可以创建 3 个项目。", True),  # the customer named no 3
        ("The 59 dollars are the price of the monthly plan.", "按月付费为 59 美元。", True),  # more than a digit
    ],
)  # fmt: skip
def test_in_the_other_language_a_digit_of_the_question_supports_nothing(
    answer: str, source: str, *, is_supported: bool
) -> None:
    passage = Evidence(1, "a.md", "a.md", "", (), source, 0, len(source), 0, len(source), "zh")
    question = "I pay 59 dollars. How do I turn on 2FA, and how many projects can I have?"
    assert bool(ground(answer, [passage], question).citations) is is_supported


@pytest.mark.parametrize(
    ("answer", "source", "is_supported"),
    [
        # "paid" is the "pays" of the question: a passage on another payment says nothing of the postage
        ("The postage is paid by you.", "Many people get messages which say that a fee must be paid.", False),
        ("The postage is paid by you.", "You pay the postage, except for faulty items.", True),
        (
            "We sent the label by email, so call the depot.",
            "The label is sent by email. The depot can be called.",
            True,
        ),
        ("We keep a lost parcel for a week.", "Parcels that customers lose are kept for a week.", True),
    ],
)
def test_forms_of_a_verb_are_one_word(answer: str, source: str, *, is_supported: bool) -> None:
    passage = Evidence(1, "a.md", "a.md", "", (), source, 0, len(source), 0, len(source), "en")
    assert bool(ground(answer, [passage], "Who pays the postage of shoes?").citations) is is_supported


@pytest.mark.parametrize(
    ("source", "answer", "is_supported"),
    [
        ("Parcels leave on Thursday.", "Parcels leave on Thursdays.", True),
        ("Parcels leave on Thursday.", "Parcels leave on Monday.", False),
        ("The desk is open from Tuesday to Friday.", "The desk is open from Monday to Friday.", False),
        ("The Oslo desk is open Mon-Sat from 9 to 17.", "The Oslo desk is open from 9 to 17 on Wednesday.", True),
        ("The Oslo desk is open Mon-Sat from 9 to 17.", "The Oslo desk is open from 9 to 17 on Sunday.", False),
        ("Parcels from Oslo never leave on Mondays.", "Parcels from Oslo do not leave on Mondays.", True),
        ("| Station | Mon-Fri | Sunday |\n|---|---|---|\n| Oslo | 6-24 | 8-20 |", "On Sunday Oslo is open 8-20.", True),
        (
            "| Depot | Closed |\n|---|---|\n| Molde depot | Saturday |\n| Voss depot | Wednesday |",
            "The Molde depot is closed on Wednesday.",
            False,
        ),
        (
            "| Depot | Closed |\n|---|---|\n| Molde depot | Saturday |\n| Voss depot | Wednesday |",
            "The Molde depot is closed on Saturday, the Voss depot on Wednesday.",
            True,
        ),
        ("上海门店每周二全天休息，不接待顾客。", "上海门店周二全天休息。", True),
        ("上海门店每周二全天休息，不接待顾客。", "上海门店周一全天休息。", False),
        ("客服周一至周五在线。", "客服周六在线。", False),
        ("上海仓库每天发货，不分节假日。", "上海仓库周六也发货，不分节假日。", True),
    ],
)
def test_what_is_said_of_one_day_of_the_week_is_not_said_of_another(
    source: str, answer: str, *, is_supported: bool
) -> None:
    language: Language = "en" if source.isascii() else "zh"
    passage = Evidence(1, "a", "a", "A", (), source, 0, len(source), 0, len(source), language)
    assert bool(ground(answer, [passage], "?").citations) is is_supported


_SHARED_SENTENCES = [
    (
        "Delivery to Germany costs 5 EUR, to Austria 7 EUR.",
        ["Delivery to Austria costs 7 EUR.", "Delivery to Germany costs 5 EUR, and delivery to Austria costs 7 EUR."],
        ["Delivery to Austria costs 5 EUR.", "Delivery to Germany costs 7 EUR."],
    ),
    (
        "The warranty of the Drumlin is 36 months, that of the battery 12 months.",
        [
            "The warranty of the battery is 12 months.",
            "The warranty of the Drumlin is 36 months, and the warranty of the battery is 12 months.",
        ],
        [
            "The warranty of the battery is 36 months.",
            "The warranty of the Drumlin is 12 months, and the warranty of the battery is 36 months.",
            "The warranty of the battery is not 12 months.",
        ],
    ),
    (
        "The free plan keeps logs for 7 days, the Pro plan for 30 and the Team plan for 90 days.",
        ["The Pro plan keeps logs for 30 days.", "The Team plan keeps logs for 90 days."],
        ["The Team plan keeps logs for 7 days.", "The Pro plan keeps logs for 90 days."],
    ),
    (
        "The basic plan allows 5 seats (Pro: 20 seats, Enterprise: 100 seats).",
        ["The Pro plan allows 20 seats.", "The basic plan allows 5 seats."],
        ["The Pro plan allows 5 seats.", "The Enterprise plan allows 20 seats."],
    ),
    (
        "Refunds to credit cards take 3-5 days, while bank transfers take 10 days.",
        ["Refunds by bank transfer take 10 days."],
        ["Refunds by bank transfer take 3-5 days.", "Refunds to credit cards take 10 days."],
    ),
    (
        "普通会员有30天退货期，金卡会员60天。",
        ["金卡会员有60天退货期。"],
        ["金卡会员有30天退货期。", "普通会员有60天退货期。"],
    ),
    (
        "标准配送需要3天，而加急配送只需1天，偏远地区则需7天。",
        ["加急配送只需1天。", "偏远地区配送需要7天。"],
        ["加急配送需要3天。", "偏远地区配送需要3天。", "标准配送需要7天。"],
    ),
    (
        "Send the parcel within 14 days, and keep the receipt for 2 years.",
        ["Keep the receipt for 2 years.", "You should keep the receipt of the parcel for 2 years."],
        ["Keep the receipt for 14 days."],
    ),
]


@pytest.mark.parametrize(
    ("source", "answer", "is_supported"),
    [
        (source, answer, is_supported)
        for source, right, wrong in _SHARED_SENTENCES
        for answers, is_supported in ((right, True), (wrong, False))
        for answer in answers
    ],
)
def test_of_several_things_in_one_sentence_each_has_its_own_figure(
    source: str, answer: str, *, is_supported: bool
) -> None:
    language: Language = "en" if source.isascii() else "zh"
    passage = Evidence(1, "a", "a", "A", (), source, 0, len(source), 0, len(source), language)
    assert bool(ground(answer, [passage], "?").citations) is is_supported


def test_the_number_of_a_passage_is_no_figure_that_supports() -> None:
    text = "A used kettle can be returned. Day 1 is the day after the courier hands over the parcel."
    passage = Evidence(1, "a", "a", "Returns", (), text, 0, len(text), 0, len(text), "en")
    question = "How many days do I have to return a kettle? Answer: According to [1], returns are allowed for 365 days."
    assert ground("So, according to [1], you have 365 days to return a kettle.", [passage], question).unsupported


@pytest.mark.parametrize(
    ("source", "answer", "is_supported"),
    [
        ("Learn how to remove a card from your account.",
         "You cannot remove a card from your account without ending the plan.", False),
        ("Without ending the plan you cannot remove a card from your account.",
         "You cannot remove a card from your account without ending the plan.", True),
        ("配对前先长按电源键三秒开机。", "先长按电源键三秒开机，才能配对。", True),
        ("长按电源键三秒开机后即可配对。", "先注册会员，才能长按电源键三秒开机配对。", False),
        # a name that both have says nothing
        ("Use the format of your Time Machine share and click Connect.", "Open the Time Machine app.", False),
        ("The Time Machine app opens from the menu.", "Open the Time Machine app.", True),
        ("It was founded as the Museum of Manufactures.", "The Museum of Manufactures was first.", True),
    ],
)  # fmt: skip
def test_a_condition_or_a_name_must_be_the_sources_own(source: str, answer: str, *, is_supported: bool) -> None:
    language: Language = "en" if source.isascii() else "zh"
    passage = Evidence(1, "a", "a", "Time Machine", (), source, 0, len(source), 0, len(source), language)
    question = "Can I remove my card without ending the plan first? 要先注册会员吗？"
    assert bool(ground(answer, [passage], question).citations) is is_supported


@pytest.mark.parametrize(
    ("source", "is_supported"),
    [
        ("签收时效接近快递，到美国 7-10 天。", False),
        ("理赔材料须在签收后 7-10 天内提交。", True),
    ],
)
def test_a_figure_needs_more_of_a_long_question_than_one_word(source: str, *, is_supported: bool) -> None:
    passage = Evidence(1, "a", "a", "A", (), source, 0, len(source), 0, len(source), "zh")
    grounding = ground(
        "最晚签收之后7-10天内得把材料交给你们。", [passage], "我最晚签收之后几天内得把材料交给你们？过了还认吗？"
    )
    assert bool(grounding.citations) is is_supported


def test_a_figure_of_another_passage_needs_more_than_a_word_of_the_sentence() -> None:
    pages = "The default error page can be an HTML, JPG or PNG file. It must be in the root folder."
    playlists = "Make sure that the size of the playlist file is no more than 1 MB."
    prices = "The default error page is part of the Plus plan. The Plus plan costs 12 euros a month."
    read = [
        Evidence(number, text, f"{number}.md", "", (), text, 0, len(text), 0, len(text), "en")
        for number, text in enumerate((pages, playlists, prices), start=1)
    ]
    question = "Which formats may the default error page have, is its size limited, and what does it cost?"
    assert not ground("The limit for the size of the default error page is 1 MB.", read, question).citations
    assert ground("The default error page is part of the Plus plan, which costs 12 euros.", read, question).citations


def test_that_the_documents_say_nothing_is_not_what_they_say() -> None:
    source = "Nothing about styles is limited."
    passage = Evidence(1, "a.md", "a.md", "", (), source, 0, len(source), 0, len(source), "en")
    assert not ground("The documents say nothing about colours.", [passage]).citations


@pytest.mark.parametrize(
    ("reply", "question", "has_them"),
    [
        ("You may make as many as 50 of them.", "How many styles?", True),
        ("Wait 24 hours.", "How long?", True),
        ("Wait 24 days.", "How long?", False),
        ("Wait 24 hours, with 50 styles.", "How long?", False),  # of two sentences
        ("Wait 24 hours. Then 60 are free.", "How long?", False),
        ("Wait 24 hours. Then it is free.", "How long?", True),
        ("You can wait.", "How long?", False),
        ("After 24 hours you can.", "It took 24 hours. Can I?", False),  # the customer's own figure
        ("You have 9 styles.", "How many?", False),  # not sent
    ],
)
def test_figures_that_were_read_together(reply: str, question: str, *, has_them: bool) -> None:
    text = "You can create up to 50 image styles in each bucket. Wait 24 hours before you sign up. There are 9 styles."
    sent = (TextSpan(0, text.index("There")),)
    passage = Evidence(1, "a", "a.md", "A", (), text, 0, len(text), 0, len(text), "en", sent=sent)
    assert has_its_figures_from(reply, [passage], question) is has_them


@pytest.mark.parametrize(
    ("reply", "has_them"),
    [
        ("Each code costs $30 for 1-99 codes, $28.50 for 100-249 codes, and $27 for 250 codes.", True),
        ("Each code costs $28.50 for 1-99 codes, and $27 for 250 codes.", False),  # another row's price
        ("A code costs $27, and you need 99.", False),  # single figures may stand anywhere
    ],
)
def test_the_figures_of_rows_that_a_sentence_lists_were_read_together(reply: str, *, has_them: bool) -> None:
    text = "| Codes | Price |\n| --- | --- |\n| 1-99 | $30 |\n| 100-249 | $28.50 |\n| 250+ | $27 |"
    sent = (TextSpan(0, len(text)),)
    passage = Evidence(1, "a", "a.md", "A", (), text, 0, len(text), 0, len(text), "en", sent=sent)
    assert has_its_figures_from(reply, [passage], "What would each code cost us?") is has_them


_IN_GERMAN = "Wie lange kann ich die Ware zurückgeben, und was kostet das Etikett?"


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Sie haben 30 Tage Zeit.", "supported"),
        ("Sie haben 60 Tage Zeit.", "unsupported"),
        ("Sie haben 30 Monate Zeit.", "unsupported"),
        ("Das Etikett kostet 4,95 €.", "supported"),
        ("Das Etikett kostet 4,95 £.", "unsupported"),
        ("Die Rückgabe ist immer kostenlos.", "unsupported"),
        ("Meinen Sie den Wasserkocher?", "nothing"),
    ],
)
def test_of_a_third_language_figures_and_units_are_compared(sentence: str, found: str) -> None:
    text = "You can send it back within 30 days. The label costs EUR 4.95."
    passage = Evidence(1, "a", "a.md", "Returns", (), text, 0, len(text), 0, len(text), "en")
    assert _found(ground(sentence, [passage], _IN_GERMAN)) == found


@pytest.mark.parametrize("sentence", ["Возврат всегда бесплатный.", "الإرجاع مجاني دائماً.", "반품은 항상 무료입니다."])
def test_a_sentence_without_figures_in_another_script_is_not_passed_unchecked(sentence: str) -> None:
    text = "Returns are free within 30 days."
    passage = Evidence(1, "a", "a.md", "Returns", (), text, 0, len(text), 0, len(text), "en")
    assert _found(ground(sentence, [passage])) == "unsupported"
