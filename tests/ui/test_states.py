"""Every state of the desk in a real browser, in both languages, with a picture of each under ``tests/output/desk``."""

import re

import pytest
from playwright.sync_api import expect

from rag.errors import QuestionTooLong
from rag.schema import Language
from rag.translate import translate
from tests.support.by_day import LANGUAGES, SIZES, THEMES, by_day, combined
from tests.ui.conftest import OpenDesk
from tests.ui.scenes import FIGURE_WORDS, NEW_ADDRESS

pytestmark = pytest.mark.real


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_from_the_empty_page_to_the_reply(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    expect(desk.box).to_be_focused()
    expect(desk.page.get_by_text(translate("ui.empty_evidence", language))).to_be_visible()
    desk.shoot("01-empty")

    question = desk.prepare(until="search")
    desk.ask(question, "searching")
    expect(desk.page.locator(".evidence .skeleton")).to_be_visible()
    desk.shoot("02-searching")

    desk.prepare(until="line")
    desk.reaches("queued")
    expect(desk.evidence).to_have_attribute("data-passages", "5")
    expect(desk.page.locator(".status .now")).to_have_text(
        translate("ui.queued", language, ahead=2, **{"from": 25, "to": 43}), use_inner_text=True
    )
    assert desk.page.locator(".answer").inner_text() == ""
    expect(desk.page.locator(".best")).to_contain_text(translate("ui.best_match", language))
    desk.shoot("03-queued")

    desk.prepare(until="read")
    expect(desk.page.locator(".status .now")).to_have_text(translate("ui.queued_unknown", language, ahead=1))
    desk.prepare(until="think")
    desk.reaches("reading")
    desk.shoot("04-reading")
    desk.prepare(until="write")
    desk.reaches("thinking")
    expect(desk.page.locator(".thought")).not_to_have_attribute("open", "")
    desk.shoot("05-thinking")
    desk.prepare(until="more")
    desk.reaches("answering")
    expect(desk.editor).not_to_be_visible()
    desk.shoot("06-answering")

    desk.prepare(until="all")
    desk.reaches("done")
    expect(desk.editor).to_be_visible()
    expect(desk.page.locator(".unsupported")).to_have_count(1)
    times = desk.page.locator(".status").inner_text()
    assert [name for name in ("embed", "search", "wait", "prompt", "thinking", "answer", "total")
            if translate(f"ui.time_{name}", language) not in times] == []  # fmt: skip
    desk.shoot("07-done")

    best = desk.page.locator(".best-text")
    folded_px, whole_px = best.evaluate("text => [text.clientHeight, text.scrollHeight]")
    assert folded_px < whole_px
    desk.page.get_by_role("button", name=translate("ui.show_all", language)).click()
    expect(best).to_be_focused()
    assert best.evaluate("text => text.clientHeight") == whole_px
    expect(desk.page.locator(".best .all")).to_be_hidden()


@pytest.mark.parametrize("language", by_day("zh"))
def test_the_best_match_can_be_used_before_the_model_has_spoken(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare(until="line"), "queued")
    best = "\n\n".join(desk.page.locator(".excerpt span").all_inner_texts())
    desk.page.get_by_role("button", name=translate("ui.use_this", language)).click()
    expect(desk.editor).to_have_value(best)
    expect(desk.editor).to_be_focused()
    desk.editor.press_sequentially(" +")
    desk.page.get_by_role("button", name=translate("ui.use_this", language)).click()
    expect(desk.editor).to_have_value(best + " +")
    desk.shoot("03-queued-used")
    desk.prepare(until="all")
    desk.reaches("done")
    expect(desk.editor).to_have_value(best + " +")
    desk.page.locator(".restore").click()
    expect(desk.editor).not_to_have_value(best + " +")


@pytest.mark.parametrize("language", by_day("en"))
def test_a_refusal_shows_what_is_near_and_a_note_to_hand_over(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    questions = {"en": "Do you sell gift wrap with cats on it?", "zh": "你们有印着猫的礼品包装纸吗？"}
    question = desk.prepare("refused", question=questions[language])
    desk.ask(question, "refused")
    expect(desk.page.locator(".verdict")).to_have_text(translate("ui.refused", language))
    expect(desk.evidence).to_have_attribute("data-passages", "3")
    expect(desk.page.locator(".evidence .note")).to_have_text(translate("ui.near_not_enough", language))
    note = desk.draft()
    assert question in note
    assert f"?turn={desk.turn_id()}" in note
    desk.shoot("08-refused")


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_sentence_with_a_new_address_is_marked(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    questions = {"en": "Where do I pay the fee to return my Drift R3?", "zh": "退 Drift R3 的运费在哪里付？"}
    desk.ask(desk.prepare("unconfirmed", question=questions[language]), "done")
    flag = desk.page.locator(".answer .flag")
    expect(flag).to_have_count(1)
    expect(flag).to_contain_text(translate("ui.unconfirmed", language))
    before = flag.evaluate("node => node.closest('p').innerText")
    assert NEW_ADDRESS[language] in before
    expect(desk.page.locator(".unsupported")).to_have_count(0)
    expect(desk.editor).to_be_visible()
    flag.scroll_into_view_if_needed()
    desk.shoot("08b-new-address")
    assert desk.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("en"))
def test_the_documents_own_words_below_a_reply_can_be_taken_out_of_it(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    questions = {"en": "How long do I have to return a lamp?", "zh": "台灯多久内可以退？"}
    desk.ask(desk.prepare("quoted_below", question=questions[language]), "done")
    quoted = desk.page.locator(".answer > .quoted")
    expect(quoted).to_have_count(1)
    expect(quoted.locator(".cite").first).to_be_visible()
    first_words = quoted.inner_text()[:8]
    assert first_words in desk.editor.input_value()
    quoted.scroll_into_view_if_needed()
    desk.shoot("08c-quoted-below")
    assert desk.clipped_labels() == []
    desk.page.locator(".of-quotation button").click()
    expect(desk.editor).not_to_have_value(re.compile(re.escape(first_words)))
    assert desk.editor.input_value().strip()


@pytest.mark.parametrize("language", by_day("zh"))
def test_what_is_quoted_for_an_unsupported_reply_is_to_be_checked(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare("quoted_for_reply"), "done")
    expect(desk.page.locator(".verdict")).to_have_text(translate("ui.quoted_for_reply", language))
    expect(desk.view).to_contain_text(translate("ui.quoted_for_reply_why", language))
    expect(desk.page.locator(".answer .cite").first).to_be_visible()
    desk.shoot("08d-quoted-for-reply")
    assert desk.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("zh"))
def test_code_is_shown_as_code_and_no_column_is_a_character_wide(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.ask(desk.prepare("coded"), "done")
    passage = desk.page.locator(".card[data-number='6'] .passage")
    expect(passage.locator("pre")).to_have_text("shop update\n\nshop sync")
    expect(passage.locator("code")).to_have_text("shop update")
    narrow, wide = passage.locator("table").all()
    widths = narrow.locator("td").evaluate_all("(all) => all.map((one) => one.clientWidth)")
    assert min(widths) > 50, widths
    assert narrow.evaluate("(table) => table.scrollWidth <= table.parentElement.clientWidth")
    assert wide.evaluate("(table) => table.scrollWidth > table.parentElement.clientWidth")
    expect(passage).to_have_attribute("tabindex", "0")  # so that the keyboard can scroll it
    passage.scroll_into_view_if_needed()
    desk.shoot("08e-code-and-tables")


@pytest.mark.parametrize("language", by_day("en"))
def test_a_picture_of_the_article_is_shown_beside_its_passage(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    questions = {"en": "My Drift R3 shows error E-42, can I return it?", "zh": "Drift R3 显示错误 E-42，能退吗？"}
    desk.ask(desk.prepare("illustrated", question=questions[language]), "done")
    caption, _ = FIGURE_WORDS[language]
    thumbnail = desk.page.get_by_role("button", name=translate("ui.figure_enlarge", language, name=caption))
    expect(thumbnail).to_have_count(1)  # the other one's document is gone, and so is its place
    expect(desk.page.locator(".figure:visible")).to_have_count(1)
    assert desk.page.locator(".figure:visible img").evaluate_all("(all) => all.map((one) => one.naturalWidth)") == [960]
    desk.shoot("08c-picture")
    thumbnail.click()
    large = desk.page.locator(".large")
    expect(large).to_be_visible()
    expect(large).to_contain_text(translate("ui.figure_page", language, page=3))
    expect(large.get_by_role("img", name=caption)).to_be_visible()
    desk.shoot("08d-picture-larger")
    desk.page.keyboard.press("Escape")
    expect(large).not_to_be_visible()
    expect(thumbnail).to_be_focused()
    thumbnail.click()
    large.get_by_role("button", name=translate("ui.figure_close", language)).click()
    expect(large).not_to_be_visible()


FAILURES = {
    "ollama_down": ("error_OllamaUnavailable", 5),
    "model_missing": ("error_ModelMissing", 5),
    "timed_out": ("error_ModelTimedOut", 5),
    "queue_full": ("error_QueueFull", 5),
    "halfway": ("error_ModelStoppedHalfway", 5),
    "no_knowledge": ("error_KnowledgeBaseMissing", 0),
    "other_embedder": ("error_EmbedderMismatch", 0),
}


@pytest.mark.parametrize("language", by_day("zh"))
def test_failures_are_said_in_words_and_keep_what_there_is(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    for case, (scene, (key, passages)) in enumerate(FAILURES.items()):
        question = f"Drift R3, case {case}?" if language == "en" else f"Drift R3 退货，情况 {case}？"
        desk.prepare(scene, question=question)
        desk.ask(question)
        expect(desk.page.locator(".question")).to_have_text(question)
        desk.reaches("failed")
        expect(desk.page.locator(".notice")).to_have_text(translate(f"ui.{key}", language))
        expect(desk.evidence).to_have_attribute("data-passages", str(passages))
        expect(desk.page.locator(".st-key-retry")).to_be_visible()
        if scene == "halfway":
            expect(desk.page.locator(".answer")).to_contain_text("EUR 4.95" if language == "en" else "通电试用")
        desk.page.screenshot(path=desk.picture(f"09-failed-{scene}"))
        assert not [text for _, text in desk.texts() if "/srv/" in text or "11434" in text]


@pytest.mark.parametrize("language", by_day("en"))
def test_an_unforeseen_error_has_a_number_and_no_traceback(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    question = desk.prepare("broken", question="broken?" if language == "en" else "坏了？")
    desk.ask(question, "failed")
    expect(desk.page.locator(".notice")).to_have_text(
        re.compile(re.escape(translate("ui.page_failed", language, number="NUMBER")).replace("NUMBER", r"\w+"))
        if language == "en"
        else re.compile("编号")
    )
    desk.check()


@pytest.mark.parametrize("language", by_day("zh"))
def test_bad_questions_are_answered_in_one_sentence(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.box.fill("   ")
    desk.box.press("Enter")
    expect(desk.view).to_have_count(0)
    too_long = QuestionTooLong(characters=12_000, limit=8000).text(language)
    for question, words in (
        ("🙂🙂🙂", translate("ui.error_QuestionWithoutWords", language)),
        ("字" * 12_000, too_long),
    ):
        desk.ask(question)
        expect(desk.page.locator(".notice")).to_have_text(words)
        desk.check()


@pytest.mark.parametrize("language", by_day("en"))
def test_the_head_line_tells_what_is_missing(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    expect(desk.page.locator(".stand-in").first).to_be_visible()
    desk.set_model(kind="down", name="", stand_in=False)
    desk.set_knowledge(generation=0)
    desk.reload()
    expect(desk.page.locator(".facts")).to_contain_text(translate("ui.model_down", language))
    expect(desk.page.locator(".facts")).to_contain_text(translate("ui.knowledge_base_none", language))
    expect(desk.page.locator(".shell .stand-in")).to_be_hidden()
    desk.shoot("10-nothing-there")


@pytest.mark.parametrize(
    ("size", "dark", "language"),
    by_day(
        "1280-light-en", "1280-dark-zh", "zoom200-light-zh", "zoom200-dark-en", of=combined(SIZES, THEMES, LANGUAGES)
    ),
)
def test_nothing_is_cut_or_scrolls_sideways(
    open_desk: OpenDesk, size: tuple[int, int, int], dark: bool, language: Language
) -> None:
    width, height, scale = size
    desk = open_desk(language, dark=dark, width=width, height=height, scale=scale)
    desk.ask(desk.prepare(), "done")
    expect(desk.editor).to_be_visible()
    desk.shoot(f"11-done-{'dark' if dark else 'light'}-{width}")
    desk.editor.scroll_into_view_if_needed()
    desk.shoot(f"12-reply-{'dark' if dark else 'light'}-{width}")
    assert desk.clipped_labels() == []
