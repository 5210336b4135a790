"""The guard over scripted replies, one character or word a part."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import ModelSaidNothing, ModelStoppedHalfway
from rag.generation.guard import Budget, GuardedReply, guard_reply, is_in_other_language, repetition_start
from rag.protocols import GeneratedText, GeneratedThinking, GenerationFinished, GenerationPart, Message
from rag.testing import ScriptedGenerator

QUESTION = [Message("system", "rules"), Message("user", "How long?")]
Reply = Sequence[GenerationPart | Exception]


def text(words: str) -> list[GenerationPart]:
    return [GeneratedText(word + " ") for word in words.split(" ")]


def thought(words: str) -> list[GenerationPart]:
    return [GeneratedThinking(word + " ") for word in words.split(" ")]


def replies(*in_turn: Reply) -> ScriptedGenerator:
    waiting = list(in_turn)
    script: Callable[[Sequence[Message]], Reply] = lambda messages: waiting.pop(0)  # noqa: E731
    return ScriptedGenerator(script)


def run(
    generator: ScriptedGenerator, *, think: bool = False, language: str = "en", thinking_tokens: int = 50
) -> tuple[str, str, GuardedReply]:
    """Return the text and the thought as they were shown, and what is to be kept."""
    shown, thinking = "", ""
    guarded: GuardedReply | None = None
    for part in guard_reply(generator, QUESTION, think=think, language=language, budget=Budget(thinking_tokens, 100)):
        match part:
            case GeneratedText():
                shown += part.text
            case GeneratedThinking():
                thinking += part.text
            case GuardedReply():
                guarded = part
    assert guarded is not None
    assert generator.closed == len(generator.calls)
    return shown, thinking, guarded


def test_a_plain_answer_passes() -> None:
    shown, thinking, guarded = run(replies(text("You have 30 days to send it back. It is free.")))
    assert shown.strip() == guarded.text == "You have 30 days to send it back. It is free."
    assert thinking == guarded.thinking == ""


def test_thought_and_answer() -> None:
    shown, thinking, guarded = run(replies([*thought("Let me see."), *text("You have 30 days.")]), think=True)
    assert (shown.strip(), thinking.strip()) == ("You have 30 days.", "Let me see.")
    assert (guarded.text, guarded.thinking) == ("You have 30 days.", "Let me see.")


def test_a_thought_over_budget_is_closed_and_gone_on_from() -> None:
    endless = [GeneratedThinking(f"word{number} ") for number in range(500)]
    generator = replies(endless, text("You have 30 days."))
    _, thinking, guarded = run(generator, think=True, thinking_tokens=20)
    assert len(thinking.split()) == 20
    assert guarded.text == "You have 30 days."
    assert generator.calls[1][-1] == Message("assistant", "", thinking=thinking.strip())


def test_a_thought_in_a_loop_is_closed() -> None:
    generator = replies(thought("let me look at that again. " * 60), text("30 days."))
    _, thinking, guarded = run(generator, think=True, thinking_tokens=1000)
    assert len(thinking.split()) < 100
    assert guarded.text == "30 days."


def test_a_thought_that_was_never_closed_is_salvaged() -> None:
    generator = replies(thought("The passage says 30 days."), text("You have 30 days."))
    _, thinking, guarded = run(generator, think=True)
    assert thinking.strip() == guarded.thinking == "The passage says 30 days."
    assert guarded.text == "You have 30 days."


def test_silence_is_asked_once_more_and_then_told() -> None:
    assert run(replies([], text("You have 30 days.")))[2].text == "You have 30 days."
    with pytest.raises(ModelSaidNothing):
        run(replies([], text("")))


def test_silence_after_a_closed_thought_is_asked_without_it() -> None:
    generator = replies(thought("Hm."), [], text("You have 30 days."))
    guarded = run(generator, think=True)[2]
    assert guarded.thinking == "Hm."
    assert [call[-1].role for call in generator.calls] == ["user", "assistant", "user"]


def test_the_wrong_language_is_never_shown_and_asked_again() -> None:
    generator = replies(text("收到商品后的三十天之内都可以退货。"), text("You have 30 days."))
    shown, _, guarded = run(generator)
    assert shown.strip() == guarded.text == "You have 30 days."
    assert "请用英文回答" in generator.calls[1][-1].content
    assert generator.calls[1][0] == generator.calls[0][0]


def test_the_wrong_language_twice_is_shown_as_it_is() -> None:
    wrong = "You can return it within thirty days of delivery."
    shown, _, guarded = run(replies(text(wrong), text(wrong)), language="zh")
    assert shown.strip() == guarded.text == wrong


@pytest.mark.parametrize("answer", ["EUR 109.", "GBP 30 (EUR 35).", "E07", "Yes.", "08000 960 499"])
def test_codes_and_prices_are_in_no_language(answer: str) -> None:
    assert not is_in_other_language(answer, "zh")
    assert not is_in_other_language(answer, "en")


def test_a_repeating_answer_is_cut() -> None:
    shown, _, guarded = run(replies(text("You have 30 days. " + "It is free of charge. " * 40)))
    assert guarded.text.startswith("You have 30 days. It is free of charge.")
    assert guarded.text.count("free") <= 2
    assert shown.count("free") < 20
    assert guarded.finished.reason == "repetition"


def test_an_answer_at_its_budget_ends_with_a_whole_sentence() -> None:
    cut = [*text("You have 30 days. Gold members have"), GenerationFinished(reason="length")]
    assert run(replies(cut))[2].text == "You have 30 days."


def test_errors_pass_and_close_the_call() -> None:
    generator = replies([*text("You have 30 days to"), ModelStoppedHalfway(partial_text="You have 30 days to")])
    with pytest.raises(ModelStoppedHalfway):
        run(generator)
    assert generator.closed == 1


def test_closing_closes_the_call() -> None:
    generator = replies(text("You have thirty days to send anything back to us. It is free."))
    parts = guard_reply(generator, QUESTION, think=False, language="en", budget=Budget(5, 50))
    assert next(parts)
    parts.close()
    assert generator.closed == 1


def test_what_nobody_sees_is_not_kept() -> None:
    _, _, guarded = run(replies([GeneratedText("You have 30\u202e da\u200bys\U000e0041. ❤️")]))
    assert guarded.text == "You have 30 days. ❤️"


def test_an_answer_of_invisible_characters_alone_is_none() -> None:
    with pytest.raises(ModelSaidNothing):
        run(replies([GeneratedText("\u200b\u2060")], [GeneratedText("\u202e")]))


OPENING = 'Our documents say: "'
BEGUN = [*QUESTION, Message("assistant", OPENING)]


def run_begun(generator: ScriptedGenerator, *, think: bool = False) -> tuple[str, GuardedReply]:
    shown = ""
    for part in guard_reply(generator, BEGUN, think=think, language="en", budget=Budget(5, 100)):
        if isinstance(part, GeneratedText):
            shown += part.text
        elif isinstance(part, GuardedReply):
            return shown, part
    raise AssertionError


def test_a_reply_that_was_begun_is_gone_on_from() -> None:
    generator = replies(text('You have 30 days." So you can.'))
    shown, guarded = run_begun(generator)
    assert generator.calls == [BEGUN]
    assert shown.strip() == guarded.text == 'Our documents say: "You have 30 days." So you can.'


def test_what_was_begun_is_left_out_where_the_language_is_wrong() -> None:
    generator = replies(text("退货须在三十天内提出，逾期不予受理。"), text("You have 30 days."))
    shown, guarded = run_begun(generator)
    assert shown.strip() == guarded.text == "You have 30 days."
    assert [message.role for message in generator.calls[1]] == ["system", "user"]


def test_what_was_begun_is_left_out_where_the_model_says_nothing() -> None:
    generator = replies(text(" "), text("You have 30 days."))
    shown, guarded = run_begun(generator)
    assert shown.strip() == guarded.text == "You have 30 days."
    assert generator.calls[1] == QUESTION


def test_a_closed_thought_and_the_beginning_are_one_message() -> None:
    endless = [GeneratedThinking(f"word{number} ") for number in range(50)]
    generator = replies(endless, text('30 days."'))
    _, guarded = run_begun(generator, think=True)
    assert generator.calls[1][-1].content == OPENING
    assert generator.calls[1][-1].thinking.startswith("word0 word1")
    assert guarded.text == 'Our documents say: "30 days."'


LIST = "\n".join(
    f"{number}. {name}：{days} 个工作日内到账。"
    for number, (name, days) in enumerate(
        [("微信支付", 1), ("支付宝", 2), ("信用卡", 7), ("借记卡", 5), ("礼品卡", 1)], start=1
    )
)


@pytest.mark.parametrize("text", ["", "好", LIST, "-" * 40, "| a | b |\n|---|---|\n| 1 | 2 |", "no no no no"])
def test_no_loop(text: str) -> None:
    assert repetition_start(text) is None


@pytest.mark.parametrize(
    ("head", "unit", "times"),
    [("Wait. ", "Let me look at the passage again. ", 5), ("嗯。", "让我再想一想。", 12), ("", "ha", 40)],
)
def test_a_piece_over_and_over(head: str, unit: str, times: int) -> None:
    start = repetition_start(head + unit * times)
    assert start is not None
    assert len(head) <= start <= len(head) + 2 * len(unit)


def test_a_long_run_three_times_with_changes_between() -> None:
    run = "the customer may send the item back within thirty days of delivery as the policy says"
    text = f"First, {run}. So we know. Then {run}. I see. Again, {run}."
    start = repetition_start(text)
    assert start is not None
    assert text[:start].count("thirty days") == 1


@given(st.text(alphabet="abcdef gh.", min_size=3, max_size=30), st.integers(40, 60))
def test_every_loop_is_found(unit: str, times: int) -> None:
    assert repetition_start(unit * times) is not None


def test_an_english_reply_to_a_german_customer_is_asked_for_again() -> None:
    generator = replies(
        text("You have thirty days to send it back, and the label is free."), text("Sie haben dreißig Tage Zeit.")
    )
    shown, _, guarded = run(generator, language="de")
    assert shown.strip() == guarded.text == "Sie haben dreißig Tage Zeit."
    assert generator.calls[1][-1].content.endswith("Antworte auf Deutsch.")


@pytest.mark.parametrize(
    ("language", "reply"),
    [
        ("de", "Sie haben dreißig Tage Zeit, um die Ware zurückzusenden."),
        ("ja", "Ember K2 は30日以内に返品できます。"),
        ("ru", "Вы можете вернуть товар Ember K2 в течение 30 дней."),
        ("vi", "Bạn có 30 ngày để trả lại hàng."),
    ],
)
def test_a_reply_in_the_customers_language_is_shown_at_once(language: str, reply: str) -> None:
    generator = replies(text(reply))
    assert run(generator, language=language)[2].text == reply
    assert len(generator.calls) == 1
