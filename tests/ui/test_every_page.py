"""Every page, as an admin sees it: no barrier, nothing to scroll sideways, small, in the dark, in both languages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from rag.schema import Language
from tests.support.by_day import LOOKS, by_day
from tests.ui.accessibility import barriers
from tests.ui.browser import leave, new_page
from tests.ui.people_desk import signed_in
from tests.ui.recorded_desk import recorded_desk
from ui.navigation import PAGES

pytestmark = pytest.mark.real

SIZES = ((1280, 720), (640, 360))
"""In CSS pixels; the second is the first screen at 200 %."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with recorded_desk(tmp_path_factory.mktemp("every")) as served_at:
        yield served_at


@pytest.mark.parametrize(("language", "dark"), by_day("en-light", "zh-dark", of=LOOKS))
def test_every_page_lets_everybody_in_at_every_size(
    browser: Browser, address: str, language: Language, dark: bool
) -> None:
    page = new_page(browser, language, dark=dark)
    desk = signed_in(page, address, language, "root")
    cut = {}
    for number, entry in enumerate(PAGES):
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{address}/{'' if number == 0 else entry.key}")
            desk.shoot(f"60-{entry.key}-{'dark' if dark else 'light'}-{width}")
            cut[entry.key, width] = desk.clipped_labels()
        if language != "en" and not dark:
            desk.check()  # a label or a `lang` may be missing in one language only
    assert {where: labels for where, labels in cut.items() if labels} == {}
    leave(page)


BARRIERS = {
    "image-alt": '<img src="data:,">',
    "button-name": "<button></button>",
    "color-contrast": '<p style="color: #999; background: #fff">hardly to be read</p>',
    "label": '<input type="text">',
}


@pytest.mark.parametrize("rule", BARRIERS)
@pytest.mark.parametrize("shadow", [False, True], ids=["page", "shadow"])
def test_barriers_are_found_also_in_the_shadow(browser: Browser, rule: str, shadow: bool) -> None:
    page = new_page(browser, "en")
    page.set_content("<html lang='en'><title>a</title><main><h1>A</h1><div id='at'></div></main></html>")
    page.evaluate(
        "([html, shadow]) => { const at = document.querySelector('#at');"
        "(shadow ? at.attachShadow({mode: 'open'}) : at).innerHTML = html; }",
        [BARRIERS[rule], shadow],
    )
    expect(page.locator("h1")).to_be_visible()
    assert [found.partition(":")[0] for found in barriers(page)] == [rule]
    leave(page)
