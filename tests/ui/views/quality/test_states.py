"""Every state of the Quality page in a real browser, in both languages, with a picture of each."""

import pytest
from playwright.sync_api import Browser, expect

from eval.compare.pairs import compare_values
from eval.compare.report_page import page as report_page
from rag.schema import Language
from rag.translate import translate
from tests.support.by_day import by_day
from tests.ui.views.quality.conftest import OpenPage, Window

pytestmark = pytest.mark.real


OWN = {"en": "gift", "zh": "积分"}
OTHER = {"en": 2, "zh": 1}
CHANGED = {"en": "Thirty days from the day of delivery.", "zh": "积分在次年年底过期。"}
"""Of the two corrections, that in the page's language, the number of the other one, and other words."""


def _measure(window: Window) -> None:
    """Begin a run and wait until it is in the list."""
    before = window.page.locator(".st-key-q_runs tr.can").count()
    window.press("q_start")
    expect(window.page.locator(".st-key-q_runs tr.can")).to_have_count(before + 1)
    window.settled()


@pytest.mark.parametrize("language", by_day("en"))
def test_runs_are_begun_watched_stopped_looked_at_and_compared(open_page: OpenPage, language: Language) -> None:
    window = open_page(language)
    page = window.page
    expect(page.locator(".st-key-q_runs .empty")).to_be_visible()
    expect(page.locator(".st-key-q_runs .empty")).to_have_text(translate("ui.q_runs_none", language))
    window.shoot("40-quality-runs-empty")

    window.set(gate="closed")
    window.press("q_start")
    expect(page.get_by_text(translate("ui.q_asked", language, done=1, total=3))).to_be_visible()
    page.reload()  # the job goes on whatever becomes of the page
    window.settled()
    expect(page.get_by_text(translate("ui.q_asked", language, done=1, total=3))).to_be_visible()
    expect(page.locator(".st-key-q_start button")).to_be_disabled()
    page.screenshot(path=window.picture("41-quality-running"))
    window.press("q_stop")
    expect(page.get_by_text(translate("ui.q_stopped", language))).to_be_visible()
    window.shoot("42-quality-stopped")

    window.set(gate="open")
    _measure(window)
    expect(page.locator(".st-key-q_plots svg").first).to_have_attribute("role", "img")
    window.shoot("43-quality-run")
    _measure(window)

    window.view("compare")
    expect(page.locator(".st-key-q_measures tbody tr")).to_have_count(5)
    page.locator(".st-key-q_questions tr.can").first.click()
    expect(page.locator(".st-key-q_sides .card")).to_have_count(4)
    window.shoot("44-quality-compare")
    assert window.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("zh"))
def test_corrections_are_accepted_changed_and_rejected(open_page: OpenPage, language: Language) -> None:
    window = open_page(language, "review")
    page = window.page
    rows = page.locator(".st-key-q_corrections tr.can")
    expect(rows).to_have_count(2)
    rows.filter(has_text=OWN[language]).click()
    expect(page.locator(".st-key-q_accept button")).to_be_visible()
    window.shoot("45-quality-review")
    page.get_by_role("textbox", name=translate("ui.q_correction_answer", language), exact=True).fill(CHANGED[language])
    page.get_by_role("textbox", name=translate("ui.q_correction_answer", language), exact=True).press("Control+Enter")
    window.press("q_save")
    expect(rows).to_have_count(1)
    rows.first.click()
    expect(page.locator(f".st-key-q_question_{OTHER[language]}")).to_be_visible()
    window.press("q_reject")
    none_left = page.locator(".st-key-q_corrections .empty")
    expect(none_left).to_be_visible()  # its words are there before, hidden
    expect(none_left).to_have_text(translate("ui.q_corrections_none", language))
    window.settled()
    number = OTHER[language]
    assert window.audit() == [
        ["local", "correction", {"number": number, "state": "retired"}],
        ["local", "correction", {"number": 3 - number, "state": "retired"}],
        ["local", "correction", {"number": 3, "state": "serving"}],
    ]
    page.get_by_text(translate("ui.q_state_serving", language) + " 1").click()
    expect(rows).to_have_count(1)
    rows.first.click()
    expect(page.locator(".st-key-q_question_3")).to_be_visible()
    window.shoot("46-quality-reviewed")
    assert window.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("en"))
def test_gaps_name_topics_articles_and_contradictions(open_page: OpenPage, language: Language) -> None:
    window = open_page(language, "gaps")
    page = window.page
    window.shoot("47-quality-gaps-empty")
    window.press("q_find_gaps")
    topics = page.locator(".st-key-q_topics tr.can")
    expect(topics.first).to_be_visible()
    expect(page.locator(".st-key-q_contradictions .card")).to_have_count(1)
    topics.first.click()
    expect(page.locator(".st-key-q_draft code")).to_contain_text("---")
    window.settled()
    page.screenshot(path=window.picture("48-quality-gaps"))  # the draft is in the language that was chosen for it
    page.locator(".st-key-q_contradictions summary").click()
    page.locator(".st-key-q_contradictions .card").scroll_into_view_if_needed()
    page.screenshot(path=window.picture("49-quality-contradictions"))

    window.view("outcomes")
    expect(page.locator(".st-key-q_outcomes_agent_group tbody tr")).to_have_count(3)
    window.shoot("50-quality-outcomes")
    assert window.clipped_labels() == []


def test_in_the_dark_and_at_twice_the_size_nothing_is_cut(open_page: OpenPage) -> None:
    window = open_page("zh", "runs", dark=True)
    _measure(window)
    window.shoot("51-quality-dark")
    small = open_page("zh", "gaps", width=640, height=360, scale=2)
    small.press("q_find_gaps")
    expect(small.page.locator(".st-key-q_topics tr.can").first).to_be_visible()
    small.settled()
    small.check()
    small.page.screenshot(path=small.picture("52-quality-zoomed"))
    assert small.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("zh"))
def test_agents_are_told_that_they_may_not_see_it(open_page: OpenPage, language: Language) -> None:
    window = open_page(language)
    window.set(role="agent")
    window.view("gaps")
    expect(window.page.get_by_text(translate("ui.not_permitted", language))).to_be_visible()
    expect(window.page.locator(".st-key-q_top")).to_have_count(0)
    window.shoot("53-quality-not-permitted")


def test_the_report_does_not_scroll_sideways_in_a_narrow_window(browser: Browser) -> None:
    measures = [compare_values("recall_at_10", {"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0})]
    compared = ("default-1-sample-5-candidates", "default-1-sample-search", measures)
    window = browser.new_page(viewport={"width": 390, "height": 800})
    window.set_content(report_page([], [compared], "en"))
    assert window.evaluate("document.documentElement.scrollWidth") == 390
    window.close()
