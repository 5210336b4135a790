"""A reply in other words and a translated passage in a real browser; each state has a picture in both languages."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from rag.schema import Language
from rag.translate import translate
from tests.support.by_day import by_day
from tests.ui.browser import Desk
from tests.ui.conftest import OpenDesk
from ui.blocks import plain_text

pytestmark = pytest.mark.real

HELLO = {"en": "Thank you for asking! ", "zh": "感谢您的咨询！"}
FIGURE = {"en": ("30 days", "14 days"), "zh": ("7 天", "15 天")}


def says(desk: Desk, text: str, *, held: bool = False) -> None:
    """Say what the scripted model writes, and whether it does so already."""
    httpx.post(f"{desk.address}/scripted/write", json={"says": text, "held": held}).raise_for_status()


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_draft_is_rewritten_as_it_stands_and_undone_with_the_keyboard(
    open_desk: OpenDesk, language: Language
) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare(), "done")
    own = {"en": " Kind regards, Lin", "zh": "祝您生活愉快！"}[language]
    desk.editor.press("Control+End")
    desk.page.keyboard.insert_text(own)
    before = desk.draft()
    assert before.endswith(own)
    says(desk, HELLO[language] + before, held=True)
    desk.page.keyboard.press("Alt+t")
    expect(desk.page.locator(".editor .friendlier")).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator(".st-key-stop_writing button")).to_be_visible()
    expect(desk.page.locator(".st-key-writings")).to_contain_text(
        translate("ui.writing_reply", language, wish=translate("ui.wish_friendlier", language))
    )
    expect(desk.page.locator(".editor .shorter")).to_have_attribute("aria-disabled", "true")
    assert desk.draft() == before  # nothing half-written
    desk.page.locator(".editor").scroll_into_view_if_needed()
    desk.shoot("17-rewriting")

    says(desk, HELLO[language] + before)
    expect(desk.editor).to_have_value(HELLO[language] + before)
    expect(desk.page.locator(".editor .said")).to_have_text(translate("ui.rewritten", language))
    desk.shoot("18-rewritten")
    desk.reload()
    desk.reaches("done")
    expect(desk.editor).to_have_value(HELLO[language] + before)
    expect(desk.page.locator(".editor .undo")).to_be_visible()
    desk.page.keyboard.press("Alt+z")
    expect(desk.editor).to_have_value(before)
    expect(desk.page.locator(".editor .undo")).to_be_hidden()


@pytest.mark.parametrize("language", by_day("en"))
def test_a_changed_fact_is_refused_and_stop_keeps_the_text(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare(), "done")
    before = desk.draft()
    old, new = FIGURE[language]
    says(desk, before.replace(old, new))
    desk.page.keyboard.press("Alt+j")
    alert = desk.page.locator(".st-key-writing_refused")
    expect(alert).to_contain_text(re.compile(f"{old}.*{new}"))
    assert desk.draft() == before
    alert.scroll_into_view_if_needed()
    desk.shoot("19-rewriting-refused")

    says(desk, HELLO[language] + before, held=True)
    desk.page.locator(".editor .longer").click()
    expect(desk.page.locator(".st-key-stop_writing button")).to_be_visible()
    desk.settled()
    desk.page.keyboard.press("Alt+s")
    expect(alert).to_have_text(translate("ui.writing_stopped", language))
    assert desk.draft() == before


def test_who_goes_on_writing_meanwhile_keeps_their_words(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    desk.ask(desk.prepare(), "done")
    before = desk.draft()
    says(desk, HELLO["en"] + before, held=True)
    desk.page.keyboard.press("Alt+j")
    expect(desk.page.locator(".st-key-stop_writing button")).to_be_visible()
    desk.editor.press("Control+End")
    desk.page.keyboard.insert_text(" One more thing.")
    says(desk, HELLO["en"] + before)
    expect(desk.page.locator(".editor .said")).to_have_text(translate("ui.rewritten_meanwhile", "en"))
    expect(desk.editor).to_have_value(before + " One more thing.")


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_reply_in_the_other_language_is_put_into_the_customers(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare(), "done")
    expect(desk.page.locator(".editor .shorter")).to_be_visible()
    expect(desk.page.locator(".editor .translate")).to_be_hidden()
    texts = {
        "en": "You can send it back within 30 days. Opened filters are not taken back.",
        "zh": "30 天内可以退货。已拆封的滤网不予退回。",
    }
    own, other = texts[language], texts["zh" if language == "en" else "en"]
    desk.editor.fill(other)
    expect(desk.page.locator(".editor .translate")).to_contain_text(
        translate(f"ui.wish_translate_{language}", language)
    )
    says(desk, own)
    desk.page.keyboard.press("Alt+x")
    expect(desk.editor).to_have_value(own)
    expect(desk.page.locator(".editor .translate")).to_be_hidden()
    assert desk.clipped_labels() == []


# of the fourth passage of the scenes in the other language
TRANSLATED: dict[Language, str] = {
    "en": "# Rules on return shipping (2025)\n\n"
    "These rules apply to return requests submitted between 1 July 2025 and 30 June 2026.",
    "zh": "# 2026 年 4 月之前订单的退货期限\n\n"
    "本政策适用于 2024 年 7 月 1 日至 2026 年 3 月 31 日期间下单的英国和欧盟订单。此处仅供参考。"
    "之后下的订单适用“退货须知：您有多长时间”。",
}


@pytest.mark.parametrize("language", by_day("en"))
def test_a_passage_is_translated_on_request_and_marked_as_such(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    question = desk.prepare(question={"en": "订单可以退吗？", "zh": "Can I still send it back today?"}[language])
    desk.ask(question, "done")
    card = desk.page.locator(".card[data-number='4']")
    part = card.locator(".translation")
    expect(part.locator("summary")).to_have_text(translate(f"ui.translation_{language}", language))
    translation = TRANSLATED[language]
    says(desk, translation, held=True)
    desk.page.keyboard.press("Alt+v")
    card.locator("> summary").focus()
    desk.page.keyboard.press("Alt+x")
    expect(part).to_have_attribute("data-state", "running")
    part.get_by_role("button", name=translate("ui.stop", language)).click()
    expect(part).to_have_attribute("data-state", "failed")
    expect(part.locator(".note")).to_have_text(translate("ui.writing_stopped", language))
    says(desk, translation)
    part.get_by_role("button", name=translate("ui.translate_again", language)).click()
    expect(part).to_have_attribute("data-state", "done")
    expect(part.locator(".text")).to_have_text(plain_text(translation), use_inner_text=True)
    expect(part.locator(".note")).to_have_text(
        translate("ui.translated_by_stand_in", language, model="stand-in:1.5b"), use_inner_text=True
    )
    expect(card.locator(".passage")).to_be_visible()
    part.scroll_into_view_if_needed()
    desk.shoot("20-translated-passage")
    desk.reload()
    desk.reaches("done")
    expect(part).to_have_attribute("data-state", "done")  # made once, and kept
    expect(part).not_to_have_attribute("open", "")
