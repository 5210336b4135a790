"""Answers that need no model, and what agents do with answers, in a real browser; each state has a picture."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from rag.retrieval.message import read_message
from rag.schema import Language
from rag.translate import translate
from tests.support.by_day import LANGUAGES, by_day, combined
from tests.support.waiting import until
from tests.ui.browser import Desk
from tests.ui.conftest import OpenDesk
from tests.ui.scenes import WORDS

pytestmark = pytest.mark.real

OWN = {
    "en": ("Drift R3 no. {}: is it loud?", "It is as loud as a talk: 60 decibels.", "Lin"),
    "zh": ("Drift R3 第 {} 号声音大吗？", "与说话声相当，60 分贝。", "王"),
}

MAIL = {
    "en": "Hi support team,\nI hope you are well.\n\nIs the Drift R3 no. 14 loud?\n\n\nBest regards,\nAnn, 07700 90041",
    "zh": "客服您好，\n上周在贵店买了空气净化器。\n\n第 14 号的声音大吗？\n\n\n谢谢\n王芳 13800138000",
}


def kept(desk: Desk) -> dict[str, object]:
    """Return what the desk has kept about the turn that is shown."""
    found = httpx.get(f"{desk.address}/scripted/outcome", params={"turn": desk.turn_id()}).json()
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("lane", "language"), by_day("curated-en", "cached-zh", of=combined(("curated", "cached"), LANGUAGES))
)
def test_an_answer_that_was_there_says_where_it_comes_from(open_desk: OpenDesk, lane: str, language: Language) -> None:
    desk = open_desk(language)
    question = desk.prepare(lane, question=f"{lane}: Drift R3?" if language == "en" else f"退货问题 {lane[:1]}1？")
    desk.ask(question, "done")
    verdict = desk.page.locator(".verdict")
    if lane == "curated":
        expect(verdict).to_have_text(re.compile(r"Written by Lin, .*2026" if language == "en" else r"王 撰写，2026"))
        expect(desk.page.locator(".foot .stand-in")).to_have_count(0)
    else:
        expect(verdict).to_have_text(translate("ui.answered_before", language, generation=12))
    expect(desk.page.locator(".unsupported")).to_have_count(0)
    expect(desk.evidence).to_have_attribute("data-passages", "5")
    expect(desk.editor).to_be_visible()
    desk.shoot(f"13-{lane}")


@pytest.mark.parametrize(
    ("scene", "language"),
    by_day(
        "quoted_queue_full-zh",
        "quoted_ollama_down-en",
        of=combined(("quoted_queue_full", "quoted_ollama_down"), LANGUAGES),
    ),
)
def test_where_the_model_cannot_speak_the_passages_do(open_desk: OpenDesk, scene: str, language: Language) -> None:
    desk = open_desk(language)
    question = desk.prepare(scene, question=f"Drift R3, {len(scene)}?" if language == "en" else f"退货，{len(scene)}？")
    desk.ask(question, "done")
    error = {"quoted_queue_full": "error_QueueFull", "quoted_ollama_down": "error_OllamaUnavailable"}[scene]
    expect(desk.page.locator(".notice")).to_have_text(translate(f"ui.{error}", language))
    expect(desk.page.locator(".verdict")).to_have_text(translate("ui.quoted", language))
    expect(desk.page.locator(".best")).to_be_hidden()
    expect(desk.page.locator(".answer .cite").first).to_be_visible()
    desk.shoot(f"14-{scene}")


@pytest.mark.parametrize("language", by_day("en"))
def test_thumbs_and_their_reason(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare(), "done")
    expect(desk.page.locator(".st-key-useful button")).to_be_visible()
    desk.settled()
    desk.page.keyboard.press("Alt+u")
    expect(desk.page.locator(".st-key-useful [data-testid=stBaseButton-primary]")).to_be_visible()
    until(lambda: kept(desk)["opinion"] == [True, None])
    desk.page.locator(".st-key-not_useful button").click()
    reason = desk.page.get_by_role("radio", name=translate("ui.reason_outdated", language))
    desk.page.locator(".st-key-feedback").get_by_text(translate("ui.reason_outdated", language)).click()
    expect(reason).to_be_checked()
    desk.settled()
    until(lambda: kept(desk)["opinion"] == [False, "outdated"])
    desk.page.locator(".st-key-feedback").scroll_into_view_if_needed()
    desk.shoot("15-not-useful")


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_correction_answers_the_next_same_question_in_another_session(
    open_desk: OpenDesk, language: Language
) -> None:
    asked, answer, _ = OWN[language]
    question = asked.format(7)
    desk, other = open_desk(language), open_desk(language)
    desk.ask(desk.prepare(question=question), "done")
    expect(desk.page.locator(".st-key-correct button")).to_be_visible()
    desk.settled()
    desk.page.keyboard.press("Alt+k")
    box = desk.page.get_by_label(translate("ui.correct_answer", language))
    expect(box).to_have_value(re.compile("30 days" if language == "en" else "7 天"))
    expect(desk.page.get_by_label(translate("ui.correct_question", language))).to_have_value(question)
    expect(desk.page.get_by_text(translate("ui.correct_serves", language))).to_be_visible()
    box.scroll_into_view_if_needed()
    desk.shoot("16-correct")
    box.fill(answer)
    desk.page.locator(".st-key-correct_save button").click()
    expect(desk.page.get_by_text(translate("ui.corrected_serving", language))).to_be_visible()
    desk.shoot("17-corrected")
    greeting = {"en": f"hello, {question} thanks!", "zh": f"您好，请问{question}"}[language]
    other.ask(greeting, "done")
    expect(other.page.locator(".answer")).to_contain_text(answer)
    expect(other.page.locator(".verdict")).to_have_text(re.compile("Written by|撰写"))
    other.shoot("18-corrected-other-session")
    other.page.locator(".st-key-retry button").click()
    expect(other.page.locator(".answer")).not_to_contain_text(answer)


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_correction_begins_with_the_reply_as_the_agent_left_it(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare(question=OWN[language][0].format(11)), "done")
    unsupported = WORDS[language].unsupported[0]
    assert unsupported in desk.draft()
    desk.page.locator(".flag button").click()
    expect(desk.editor).not_to_have_value(re.compile(unsupported))
    desk.page.locator(".st-key-correct button").click()
    box = desk.page.get_by_label(translate("ui.correct_answer", language))
    expect(box).to_have_value(desk.draft())
    desk.editor.fill(OWN[language][1])
    desk.page.locator(".st-key-correct_leave button").click()
    expect(box).to_have_count(0)
    desk.page.locator(".st-key-correct button").click()
    expect(box).to_have_value(OWN[language][1])
    desk.page.locator(".st-key-correct_save button").click()
    expect(desk.page.get_by_text(translate("ui.corrected_serving", language))).to_be_visible()
    desk.ask(OWN[language][0].format(11))
    expect(desk.page.locator(".verdict")).to_have_text(re.compile("Written by|撰写"))
    expect(desk.page.locator(".answer")).to_have_text(OWN[language][1])


@pytest.mark.parametrize("language", by_day("en"))
def test_a_half_written_correction_is_kept_until_it_is_saved_or_given_up(
    open_desk: OpenDesk, language: Language
) -> None:
    desk = open_desk(language)
    first, second = (OWN[language][0].format(number) for number in (12, 13))
    for question in (second, first):
        desk.ask(desk.prepare(question=question))
        expect(desk.page.locator(".question")).to_have_text(question)
        desk.reaches("done")
    asked = desk.page.get_by_label(translate("ui.correct_question", language))
    answer = desk.page.get_by_label(translate("ui.correct_answer", language))
    open_correction = desk.page.locator(".st-key-correct button")
    open_correction.click()
    asked.fill("Is the Drift loud?")
    answer.fill("Half a")
    for question in (second, first):
        desk.page.locator("[data-testid=stSidebar] .row", has_text=question).click()
        expect(desk.page.locator(".question")).to_have_text(question)
    expect(answer).to_have_value("Half a")
    expect(asked).to_have_value("Is the Drift loud?")
    desk.reload()
    open_correction.click()
    expect(answer).to_have_value("Half a")
    answer.press("End")
    answer.press_sequentially(" sentence.")
    desk.page.locator(".st-key-correct_save button").click()
    expect(desk.page.get_by_text(translate("ui.corrected_serving", language))).to_be_visible()
    open_correction.click()
    expect(answer).to_have_value(re.compile("30 days|7 天"))
    answer.fill("Not so")
    desk.page.locator(".st-key-correct_leave button").click()
    expect(answer).to_have_count(0)
    open_correction.click()
    expect(answer).to_have_value(re.compile("30 days|7 天"))
    desk.ask("Is the Drift loud?")
    expect(desk.page.locator(".answer")).to_have_text("Half a sentence.")


@pytest.mark.parametrize("language", by_day("en"))
def test_a_mail_keeps_its_lines_in_a_correction_and_is_answered_by_it(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    mail = MAIL[language]
    desk.ask(desk.prepare(question=mail), "done")
    desk.page.locator(".st-key-correct button").click()
    asked = desk.page.get_by_label(translate("ui.correct_question", language))
    expect(asked).to_have_value(read_message(mail).text)
    expect(asked).not_to_have_value(re.compile("07700|Ann|Hi support|张伟|138"))
    desk.page.get_by_label(translate("ui.correct_question", language)).scroll_into_view_if_needed()
    desk.shoot("16-correct-mail")
    desk.page.get_by_label(translate("ui.correct_answer", language)).fill(OWN[language][1])
    desk.page.locator(".st-key-correct_save button").click()
    expect(desk.page.get_by_text(translate("ui.corrected_serving", language))).to_be_visible()
    desk.ask(mail)
    expect(desk.page.locator(".answer")).to_have_text(OWN[language][1])


@pytest.mark.parametrize("language", by_day("en"))
def test_a_correction_without_words_is_one_sentence(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare(question=OWN[language][0].format(8)), "done")
    desk.page.locator(".st-key-correct button").click()
    desk.page.get_by_label(translate("ui.correct_answer", language)).fill("  ")
    desk.page.locator(".st-key-correct_save button").click()
    expect(desk.page.get_by_text(translate("ui.error_CuratedUnusable", language))).to_be_visible()
    desk.check()
    desk.page.locator(".st-key-correct_leave button").click()
    expect(desk.page.get_by_label(translate("ui.correct_answer", language))).to_have_count(0)


@pytest.mark.parametrize("language", by_day("zh"))
def test_what_became_of_an_answer_is_kept(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language, own=True)
    desk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.ask(desk.prepare(question=OWN[language][0].format(9)), "done")
    first = desk.turn_id()
    desk.page.locator(".st-key-retry button").click()
    desk.page.wait_for_url(lambda address: first not in address)
    expect(desk.page.locator(f".editor[data-turn='{desk.turn_id()}']")).to_be_visible()
    desk.settled()
    desk.page.locator(".copy").click()
    expect(desk.page.locator(".editor .said")).to_have_text(translate("ui.copied", language))
    desk.settled()
    until(lambda: kept(desk)["outcome"] == ["copied", 0.0])
    desk.editor.press("End")
    desk.editor.press_sequentially("!!")
    desk.page.locator(".copy").click()
    desk.settled()
    expect(desk.editor).to_have_value(re.compile("!!"))
    until(lambda: kept(desk)["outcome"] != ["copied", 0.0])
    outcome, share = kept(desk)["outcome"]  # type: ignore[misc]
    assert outcome == "edited"
    assert 0 < share < 0.1
    topic = f"{language}/returns"
    counts = {one["name"]: one for one in kept(desk)["by_topic"]}[topic]  # type: ignore[attr-defined]
    assert counts["edited"] >= 1
    assert counts["discarded"] >= 1


@pytest.mark.parametrize("language", by_day("en"))
def test_a_note_that_was_copied_is_handed_over(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    question = desk.prepare("refused", question=OWN[language][0].format(10))
    desk.ask(question, "refused")
    expect(desk.page.get_by_role("button", name=re.compile(translate("ui.write_answer", language)))).to_be_visible()
    desk.page.locator(".copy").click()
    expect(desk.page.locator(".editor .said")).to_have_text(translate("ui.copied", language))
    desk.settled()
    until(lambda: kept(desk)["outcome"] == ["handed_over", 0.0])
