"""The Performance page at a real browser, over recorded turns, in both languages and themes."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from rag.schema import Language
from rag.translate import translate
from tests.conftest import free_port
from tests.support.by_day import LOOKS, by_day
from tests.ui.browser import leave, new_page
from tests.ui.conftest import served
from tests.ui.people_desk import furnish, signed_in
from tests.ui.recorded_desk import SLOWEST, record, recorded_desk

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with recorded_desk(tmp_path_factory.mktemp("performance")) as served_at:
        yield served_at


@pytest.mark.parametrize(("language", "dark"), by_day("en-dark", "zh-light", of=LOOKS))
def test_a_lead_sees_where_the_time_goes_and_opens_the_slowest_turn_of_their_scope(
    browser: Browser, address: str, language: Language, dark: bool
) -> None:
    page = new_page(browser, language, dark=dark)
    desk = signed_in(page, address, language, "bo", "/performance")
    stages = page.get_by_role("table").filter(has_text=translate("ui.stage_time_prompt", language))
    expect(stages.get_by_role("row").nth(1)).to_contain_text(
        translate("ui.stage_time_answer", language)
    )  # the worst first
    expect(page.get_by_text(translate("ui.figure_burn", language), exact=True)).to_be_visible()
    expect(page.locator(".st-key-about")).to_contain_text("21")  # payroll's is not counted
    expect(page.locator(".list .row").first).to_contain_text(SLOWEST["default"])
    assert "4711" not in " ".join(text for _, text in desk.texts())
    expect(
        page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first
    ).to_be_visible()
    desk.shoot(f"30-performance-{'dark' if dark else 'light'}")
    page.get_by_text(translate("ui.chart_numbers", language)).click()
    page.mouse.move(700, 500)
    page.mouse.wheel(0, 3000)
    expect(page.get_by_text(translate("ui.machine_cpu", language, cores=2).split("2")[0]).first).to_be_visible()
    desk.shoot(f"31-performance-below-{'dark' if dark else 'light'}")
    page.locator(".list .row").first.click()
    expect(page.locator(".question")).to_have_text(SLOWEST["default"])
    assert "turn=" in page.url
    leave(page)


@pytest.mark.parametrize("language", by_day("en"))
def test_an_agent_does_not_see_it_and_an_empty_window_says_so(
    browser: Browser, address: str, language: Language
) -> None:
    page = new_page(browser, language)
    desk = signed_in(page, address, language, "lin", "/performance")
    expect(page.get_by_text(translate("ui.not_permitted", language))).to_be_visible()
    assert "7001" not in " ".join(text for _, text in desk.texts())
    leave(page)


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_made_up_day_stands_alone_and_is_gone_with_a_click(
    browser: Browser, address: str, language: Language
) -> None:
    page = new_page(browser, language)
    desk = signed_in(page, address, language, "bo", "/performance")
    slowest = page.locator(".list .row").first
    expect(slowest).to_contain_text(SLOWEST["default"])
    page.get_by_role("button", name=translate("ui.made_up_show", language)).click()
    expect(page.get_by_role("heading", name=translate("ui.made_up_title", language))).to_be_visible()
    expect(page.get_by_text(translate("ui.made_up_warning", language))).to_be_visible()
    expect(page.get_by_text(translate("ui.machine_title", language), exact=True)).to_have_count(0)
    expect(slowest).to_have_count(0)
    desk.shoot("33-performance-made-up")
    page.get_by_role("button", name=translate("ui.made_up_end", language)).click()
    expect(slowest).to_contain_text(SLOWEST["default"])
    expect(page.get_by_text(translate("ui.made_up_warning", language))).to_have_count(0)
    leave(page)


def test_a_live_page_shows_what_was_asked_meanwhile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("live")
    furnish(folder)
    with served(folder, free_port()) as address:
        page = new_page(browser, "en")
        desk = signed_in(page, address, "en", "root", "/performance")
        expect(page.get_by_text(translate("ui.performance_none", "en"))).to_be_visible()
        desk.shoot("32-performance-empty")
        page.get_by_text(translate("ui.performance_live", "en")).click()
        record(folder)
        expect(page.locator(".list .row").first).to_contain_text(SLOWEST["payroll"])  # without a click
        leave(page)
