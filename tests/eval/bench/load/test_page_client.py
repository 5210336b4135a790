"""What a page notes of a question by itself, in a real Chromium and without a desk."""

from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from eval.bench.load.page_client import PAGE_WATCH
from rag.setup.system_packages import find_chromium

pytestmark = pytest.mark.real

_PARTS = """() => {
  const make = (markup) => {
    const host = document.body.appendChild(document.createElement("div"));
    host.attachShadow({ mode: "open" }).innerHTML = markup;
    return host.shadowRoot.firstChild;
  };
  window.evidence = make('<section class="evidence" data-turn="old" data-passages="3"></section>');
  window.view = make('<section class="view" data-turn="old"><p class="answer">30 days.</p></section>');
  window.show = (node, data, after) => setTimeout(() => Object.assign(node.dataset, data), after);
}"""


@pytest.fixture
def page() -> Any:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(path=PAGE_WATCH)
        page.route("http://desk.test/**", lambda route: route.fulfill(body="<body><input></body>"))
        page.goto("http://desk.test/?turn=old")
        page.evaluate(_PARTS)
        yield page
        browser.close()


def ask(page: Page, shown: str) -> dict[str, Any]:
    """Send Enter, let the page show this, and return what it noted."""
    page.evaluate("answerdeskWatch.expect()")
    page.evaluate(f"() => document.addEventListener('keydown', () => {{ {shown} }}, {{ once: true }})")
    page.locator("input").press("Enter")
    noted: dict[str, Any] = page.evaluate("answerdeskWatch.ended()")
    return noted


def test_each_moment_is_noted_when_it_came_and_those_of_an_earlier_turn_are_not(page: Page) -> None:
    noted = ask(
        page,
        """show(view, { turn: "old", turnState: "done" }, 20); show(evidence, { turn: "old", passages: "4" }, 20);
        show(evidence, { turn: "new", passages: "0" }, 40); show(evidence, { turn: "new", passages: "5" }, 150);
        show(view, { turn: "new", turnState: "thinking" }, 300); show(view, { turnState: "done" }, 500);""",
    )
    seen = noted["seen"]
    assert (noted["state"], noted["text"]) == ("done", "30 days.")
    assert (seen["evidence"] >= 150, seen["words"] >= 300, seen["end"] >= 500) == (True, True, True)
    assert seen["evidence"] <= seen["words"] <= seen["end"]


def test_a_refusal_without_passages_and_words_is_noted_as_its_end(page: Page) -> None:
    noted = ask(page, 'show(view, { turn: "new", turnState: "refused" }, 50);')
    assert noted["state"] == "refused"
    assert set(noted["seen"]) == {"evidence", "words", "end"}
    assert min(noted["seen"].values()) >= 50
