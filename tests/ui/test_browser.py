"""What a person does at the desk, in a real browser: reload, cite, copy, stop, type Chinese, use two windows."""

import re

import httpx
import pytest
from playwright.sync_api import WebSocketRoute, expect

from rag.translate import translate
from tests.ui.browser import Desk
from tests.ui.conftest import OpenDesk
from tests.ui.scenes import HOSTILE, WORDS
from tests.ui.scripted_desk import OTHER_HOST
from ui.turn_feed import FEED_PATH

pytestmark = pytest.mark.real


def test_two_browsers_are_answered_at_once_and_see_their_own(open_desk: OpenDesk) -> None:
    first, second = open_desk("en"), open_desk("zh")
    asked_first = first.prepare(until="more", question="Two browsers: how long may I return it?")
    asked_second = second.prepare(until="line", question="两个浏览器：退款多久到账？")
    first.ask(asked_first, "answering")
    second.ask(asked_second, "queued")

    expect(first.page.locator(".answer")).to_contain_text("EUR 4.95")
    first.prepare(question=asked_first)
    first.reaches("done")
    expect(second.view).to_have_attribute("data-turn-state", "queued")
    expect(second.page.locator(".question")).to_have_text(asked_second)
    second.prepare(question=asked_second)
    second.reaches("done")
    expect(second.page.locator(".answer")).to_contain_text("无理由退货")
    expect(first.page.locator(".question")).to_have_text(asked_first)


def test_a_reload_in_mid_answer_goes_on(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    question = desk.prepare(until="more", question="Reload: how long may I return it?")
    desk.ask(question, "answering")
    turn = desk.turn_id()
    desk.reload()
    desk.reaches("answering")
    expect(desk.page.locator(".answer")).to_contain_text("EUR 4.95")
    expect(desk.evidence).to_have_attribute("data-passages", "5")
    assert desk.turn_id() == turn
    desk.prepare(question=question)
    desk.reaches("done")
    expect(desk.editor).to_be_visible()


def test_a_closed_window_does_not_end_the_turn_and_another_opens_it_by_its_address(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    question = desk.prepare(until="more", question="Closed window: how long may I return it?")
    desk.ask(question, "answering")
    turn = desk.turn_id()
    desk.page.close()
    desk.prepare(question=question)
    other = open_desk("en", path=f"/?turn={turn}")
    other.reaches("done")
    expect(other.page.locator(".question")).to_have_text(question)
    expect(other.page.locator(".cite")).to_have_count(4)


def test_where_no_socket_can_be_had_the_page_looks_for_itself(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    closed: list[str] = []

    def close(socket: WebSocketRoute) -> None:
        closed.append(socket.url)
        socket.close()

    desk.page.route_web_socket(re.compile(FEED_PATH), close)
    desk.reload()
    question = desk.prepare(until="search", question="No socket: how long may I return it?")
    desk.ask(question, "searching")
    desk.prepare(until="more", question=question)
    expect(desk.evidence).to_have_attribute("data-passages", "5")
    desk.reaches("answering")
    expect(desk.page.locator(".answer")).to_contain_text("EUR 4.95")
    desk.prepare(question=question)
    desk.reaches("done")
    expect(desk.editor).to_be_visible()
    assert closed


def test_passages_come_by_the_socket_without_a_run_of_the_page(open_desk: OpenDesk) -> None:
    desk = open_desk("zh")
    question = desk.prepare(until="search", question="套接字：多久能退？")
    desk.ask(question, "searching")
    desk.page.evaluate(
        """() => { window.shown = []; document.addEventListener("answerdesk:evidence", () => {
        const parts = [...document.querySelectorAll("*")].map((node) => node.shadowRoot).filter(Boolean);
        const evidence = parts.map((part) => part.querySelector(".evidence")).find(Boolean);
        queueMicrotask(() => window.shown.push(evidence.dataset.passages)); }); }"""
    )
    desk.prepare(until="think", question=question)
    expect(desk.evidence).to_have_attribute("data-passages", "5")
    assert desk.page.evaluate("() => window.shown") == ["5"]
    expect(desk.page.locator(".best-text")).to_be_visible()  # and then the page runs, with what else belongs to them


def test_an_earlier_question_is_opened_from_the_history(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    for question in ("History: the first one?", "History: the second one?"):
        desk.ask(desk.prepare(question=question))
        expect(desk.page.locator(".question")).to_have_text(question)
        desk.reaches("done")
    desk.page.locator("[data-testid=stSidebar] .row", has_text="the first one").click()
    expect(desk.page.locator(".question")).to_have_text("History: the first one?")
    desk.reaches("done")
    desk.page.keyboard.press("Alt+n")
    expect(desk.view).to_have_count(0)
    expect(desk.page).not_to_have_url(re.compile("turn="))
    expect(desk.box).to_be_focused()


def test_a_question_beside_a_turn_goes_on_from_it(open_desk: OpenDesk, scripted_address: str) -> None:
    desk = open_desk("zh")
    first, second, third = "追问：收到多久内可以退？", "追问：那邮费呢？", "追问：电池怎么换？"
    for question in (first, second):
        desk.ask(desk.prepare(question=question))
        expect(desk.page.locator(".question")).to_have_text(question)
        desk.reaches("done")
    expect(desk.box).to_have_attribute("placeholder", translate("ui.ask_on_placeholder", "zh"))
    desk.page.keyboard.press("Alt+n")
    expect(desk.box).to_have_attribute("placeholder", translate("ui.ask_placeholder", "zh"))
    desk.ask(desk.prepare(question=third))
    expect(desk.page.locator(".question")).to_have_text(third)
    desk.reaches("done")
    asked = {
        question: httpx.get(f"{scripted_address}/scripted/earlier", params={"question": question}).json()
        for question in (first, second, third)
    }
    assert asked == {first: [], second: [first], third: []}


def test_a_turn_that_is_not_kept_says_so(open_desk: OpenDesk) -> None:
    desk = open_desk("zh", path="/?turn=nothing-like-this")
    expect(desk.page.get_by_text(translate("ui.turn_missing", "zh"))).to_be_visible()
    expect(desk.box).to_be_enabled()


def test_a_citation_opens_its_passage_marks_the_words_and_brings_them_into_view(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    desk.ask(desk.prepare(), "done")
    third = desk.page.locator(".card[data-number='3']")
    third.locator("summary").click()
    expect(third).not_to_have_attribute("open", "")
    desk.page.locator(".cite", has_text="3").click()
    expect(third).to_have_attribute("open", "")
    marked = third.locator("mark.active")
    expect(marked).to_have_text(["Debit or credit card", "3 to 5 working days"])
    expect(marked.first).to_be_in_viewport()
    expect(third.locator("summary")).to_be_focused()
    desk.shoot("13-citation")


def test_stop_keeps_what_was_written_and_retry_asks_again(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    question = desk.prepare(until="more", question="Stop: how long may I return it?")
    desk.ask(question, "answering")
    first = desk.turn_id()
    desk.page.keyboard.press("Alt+s")
    desk.reaches("stopped")
    expect(desk.page.locator(".answer")).to_contain_text("EUR 4.95")
    expect(desk.page.locator(".verdict")).to_have_text(translate("ui.stopped", "en"))
    assert "EUR 4.95" in desk.draft()
    desk.shoot("14-stopped")
    desk.prepare(question=question)
    desk.page.locator(".st-key-retry button").click()
    desk.reaches("done")
    assert desk.turn_id() != first


def test_enter_while_a_chinese_word_is_composed_does_not_ask(open_desk: OpenDesk) -> None:
    desk = open_desk("zh", own=True)
    desk.box.focus()
    keyboard = desk.page.context.new_cdp_session(desk.page)
    keyboard.send("Input.imeSetComposition", {"text": "tuikuan", "selectionStart": 7, "selectionEnd": 7})
    enter = {"key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
    keyboard.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    keyboard.send("Input.insertText", {"text": "退款"})
    expect(desk.box).to_have_value("退款")
    expect(desk.view).to_have_count(0)
    desk.prepare(question="退款")
    desk.box.press("Enter")
    desk.reaches("done")


def test_one_enter_too_many_makes_one_turn(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    question = desk.prepare(question="Twice: how long may I return it?")
    desk.box.fill(question)
    desk.page.evaluate(
        """() => { const box = document.querySelector(".st-key-question textarea");
        const enter = { key: "Enter", code: "Enter", keyCode: 13, bubbles: true, cancelable: true };
        for (const _ of [1, 2]) box.dispatchEvent(new KeyboardEvent("keydown", enter)); }"""
    )
    desk.reaches("done")
    expect(desk.page.locator("[data-testid=stSidebar] .row", has_text="Twice:")).to_have_count(1)


@pytest.mark.parametrize("host", ["127.0.0.1", OTHER_HOST])
def test_copy_takes_the_text_as_it_stands(open_desk: OpenDesk, scripted_address: str, host: str) -> None:
    desk = open_desk("en", address=scripted_address.replace("127.0.0.1", host), own=True)
    secure = desk.page.evaluate("() => window.isSecureContext")
    assert secure == (host == "127.0.0.1")
    if secure:
        desk.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    desk.ask(desk.prepare(), "done")
    desk.editor.press("Control+End")
    desk.editor.press_sequentially(" Kind regards, Lin")
    desk.page.locator(".editor .with-sources").click()
    expect(desk.page.locator(".editor .said")).to_have_text(translate("ui.copied", "en"))
    pasted = paste(desk)
    assert "working days. Kind regards, Lin\n\nSources\n- Returning an order - how long you have" in pasted
    assert "Goodwill" not in pasted
    desk.editor.press("Alt+p")
    expect(desk.page.locator(".editor .said")).to_have_text(translate("ui.copied", "en"))
    assert paste(desk).endswith("working days. Kind regards, Lin")


def paste(desk: Desk) -> str:
    """Return the clipboard as a paste into the question box gives it."""
    desk.box.fill("")
    desk.box.press("Control+v")
    text = desk.box.input_value()
    desk.box.fill("")
    return text


def test_unsupported_words_can_be_taken_out_and_the_editor_keeps_changes_over_a_reload(open_desk: OpenDesk) -> None:
    desk = open_desk("zh")
    desk.ask(desk.prepare(), "done")
    unsupported = WORDS["zh"].unsupported[0]
    assert unsupported in desk.draft()
    desk.page.locator(".flag button").click()
    expect(desk.editor).not_to_have_value(re.compile(unsupported))
    desk.reload()
    desk.reaches("done")
    expect(desk.editor).not_to_have_value(re.compile(unsupported))
    desk.page.get_by_text(translate("ui.restore", "zh")).click()
    expect(desk.editor).to_have_value(re.compile(unsupported))


def test_a_typed_question_is_kept_over_another_page_and_a_reload_until_it_is_asked(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    question = desk.prepare(question="Kept: how long may\nI return it?")
    desk.box.fill(question)
    desk.page.get_by_role("link", name=translate("ui.knowledge", "en")).click()
    expect(desk.box).to_have_count(0)
    desk.page.get_by_role("link", name=translate("ui.desk", "en")).click()
    expect(desk.box).to_have_value(question)
    desk.reload()
    expect(desk.box).to_have_value(question)
    desk.box.press("Enter")
    desk.reaches("done")
    expect(desk.page.locator(".question")).to_have_text(question)
    expect(desk.box).to_have_value("")
    desk.reload()
    desk.reaches("done")
    expect(desk.box).to_have_value("")


def test_a_mail_is_shown_without_its_empty_lines_and_can_be_unfolded(open_desk: OpenDesk) -> None:
    desk = open_desk("zh")
    lines = [f"第 {number} 行：收到多久内可以退？" for number in range(1, 9)]
    desk.ask(desk.prepare(question="\n\n\n".join(lines)), "done")
    question = desk.page.locator(".question")
    assert question.inner_text().splitlines() == lines
    expect(desk.page.locator(".whole")).to_have_text(translate("ui.show_all", "zh"))
    desk.shoot("13-mail-cut")
    desk.page.get_by_role("button", name=translate("ui.show_question", "zh")).click()
    expect(question).to_be_focused()
    expect(desk.page.locator(".whole")).to_be_hidden()
    assert question.evaluate("text => text.clientHeight === text.scrollHeight")
    desk.shoot("13-mail-whole")


def test_what_a_model_writes_stays_characters(open_desk: OpenDesk) -> None:
    desk = open_desk("en", own=True)
    requests: list[str] = []
    desk.page.on("request", lambda request: requests.append(request.url))
    question = desk.prepare("hostile", question="<b>Hostile</b> ![x](http://example.invalid/q.png)")
    desk.ask(question, "done")
    expect(desk.page.locator(".answer")).to_contain_text(HOSTILE)
    expect(desk.page.locator(".question")).to_have_text(question)
    expect(desk.page.locator(".answer img, .answer a, .answer script, .row b, .row img")).to_have_count(0)
    assert desk.page.title() == translate("ui.page_title", "en")
    assert [url for url in requests if "example.invalid" in url] == []


def test_a_selection_and_typed_words_survive_the_stream(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    question = desk.prepare(until="more", question="Selection: how long may I return it?")
    desk.ask(question, "answering")
    desk.page.evaluate(
        """() => { const parts = [...document.querySelectorAll("*")].map((node) => node.shadowRoot).filter(Boolean);
        const text = parts.map((part) => part.querySelector(".answer")).find(Boolean).firstChild;
        window.held = text; text.parentNode.held = text; }"""
    )
    desk.box.press_sequentially("The next customer asks")
    version = desk.view.get_attribute("data-turn-version")
    desk.prepare(until="end", question=question)
    expect(desk.view).not_to_have_attribute("data-turn-version", str(version))
    expect(desk.page.locator(".answer")).to_contain_text("working days")
    assert desk.page.evaluate("() => window.held.isConnected && window.held.data.includes('working days')")
    desk.prepare(question=question)
    desk.reaches("done")
    expect(desk.box).to_have_value("The next customer asks")


def test_the_language_is_guessed_chosen_and_remembered(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    assert desk.page.evaluate("() => document.documentElement.lang") == "en"
    desk.ask(desk.prepare(), "done")
    desk.page.locator(".st-key-language").get_by_text("中文").click()
    desk.language = "zh"
    expect(desk.page.locator(".verdict")).to_have_text(translate("ui.check_marked", "zh"))
    expect(desk.page.locator("html")).to_have_attribute("lang", "zh-CN")
    desk.shoot("15-english-answer-on-the-chinese-page")
    desk.reload()
    expect(desk.page.locator("h1")).to_have_text(translate("ui.product", "zh"))
    desk.page.goto(desk.address)  # without the language in the address: the browser remembers
    expect(desk.page.locator("h1")).to_have_text(translate("ui.product", "zh"))


# A slow server sends what stands behind the page's head a moment later.
LATE_BUTTONS = """
const find = document.querySelectorAll.bind(document);
let shown = false;
document.querySelectorAll = (what) => {
  if (shown || !what.includes("st-key-language")) return find(what);
  setTimeout(() => { shown = true; document.body.append(document.createElement("i")); }, 300);
  return [];
};
"""


def test_the_remembered_language_is_chosen_also_where_its_buttons_come_late(open_desk: OpenDesk) -> None:
    desk = open_desk("en", own=True)
    desk.page.evaluate("localStorage.setItem('answerdesk:language', 'zh')")
    desk.page.add_init_script(LATE_BUTTONS)
    desk.page.goto(desk.address)
    expect(desk.page.locator("h1")).to_have_text(translate("ui.product", "zh"))


LATE_BOX = """
const find = document.querySelector.bind(document);
document.querySelector = (what) => what.includes("st-key-question") && !window.boxIsDrawn ? null : find(what);
"""


def test_a_box_that_comes_late_takes_no_words_from_the_field_where_somebody_writes(open_desk: OpenDesk) -> None:
    desk = open_desk("en", own=True)
    desk.page.add_init_script(LATE_BOX)
    desk.prepare()
    desk.page.goto(desk.address)
    desk.settled()
    search = desk.page.locator(".st-key-history_search input")
    search.focus()
    desk.page.keyboard.insert_text("refund ")
    desk.page.evaluate("window.boxIsDrawn = true; document.body.append(document.createElement('i'))")
    desk.page.keyboard.insert_text("lamp")
    expect(search).to_have_value("refund lamp")
    desk.page.reload()
    desk.settled()
    desk.page.evaluate("window.boxIsDrawn = true; document.body.append(document.createElement('i'))")
    expect(desk.box).to_be_focused()


def test_ask_read_and_copy_with_the_keyboard_alone(open_desk: OpenDesk) -> None:
    desk = open_desk("en", own=True)
    desk.prepare()
    expect(desk.box).to_be_focused()
    desk.page.keyboard.insert_text(WORDS["en"].question)
    desk.page.keyboard.press("Enter")
    desk.reaches("done")
    desk.page.keyboard.press("Alt+v")
    expect(desk.page.locator(".card[data-number='1'] summary")).to_be_focused()
    desk.page.keyboard.press("ArrowDown")
    expect(desk.page.locator(".card[data-number='2'] summary")).to_be_focused()
    desk.page.keyboard.press("Alt+w")
    expect(desk.editor).to_be_focused()
    desk.page.keyboard.press("Alt+p")
    expect(desk.page.locator(".editor .said")).to_have_text(translate("ui.copied", "en"))
    desk.page.keyboard.press("Alt+q")
    expect(desk.box).to_be_focused()
    desk.page.keyboard.press("Alt+l")
    expect(desk.page.locator(".keys table")).to_be_visible()
    desk.shoot("16-keys")
    desk.page.keyboard.press("Alt+y")
    expect(desk.page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_evidence_that_is_drawn_again_keeps_the_focus_on_its_passage(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    desk.ask(desk.prepare(), "done")
    second = desk.page.locator(".card[data-number='2'] summary")
    second.focus()
    desk.page.locator(".evidence").first.evaluate(
        """(node) => document.dispatchEvent(new CustomEvent("answerdesk:evidence", {
            detail: {...node.getRootNode().answerdeskView.data, note: "Drawn again"},
        }))"""
    )
    expect(desk.page.get_by_text("Drawn again")).to_be_visible()
    expect(second).to_be_focused()
    desk.page.keyboard.press("ArrowDown")
    expect(desk.page.locator(".card[data-number='3'] summary")).to_be_focused()


def test_screen_readers_hear_the_states(open_desk: OpenDesk) -> None:
    desk = open_desk("en")
    desk.ask(desk.prepare(), "done")
    expect(desk.page.locator(".heard[role=status]")).to_have_text(translate("ui.done_unsupported", "en", count=1))
    desk.prepare("ollama_down", question="Heard: is it down?")
    desk.ask("Heard: is it down?", "failed")
    expect(desk.page.locator(".heard[role=alert]")).to_have_text(translate("ui.error_OllamaUnavailable", "en"))
