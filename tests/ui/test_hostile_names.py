"""Nothing of a document, a file or a name draws itself, on any page: no request leaves, and all of it is only read."""

import re
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from rag.text.characters import INVISIBLE
from tests.conftest import free_port
from tests.local_server import LocalServer
from tests.support.waiting import until
from tests.ui.browser import Desk
from tests.ui.conftest import served
from tests.ui.hostile_desk import QUESTION

pytestmark = pytest.mark.real

_DRAWN = """() => {
  const drawn = [];
  const ours = (node) => node.closest("[data-testid=stLogo], .st-key-q_plots");
  const visit = (root) => {
    for (const node of root.querySelectorAll("img, a[href], b, strong, code, .katex, [data-testid=stIconMaterial]")) {
      if (ours(node)) continue;
      const name = node.tagName.toLowerCase(), href = node.getAttribute("href") ?? "";
      if (name === "a" && (href.startsWith("/") || href.startsWith("#") || href.startsWith(location.origin))) continue;
      if (node.matches("[data-testid=stIconMaterial]") && node.textContent !== "home") continue;
      if (name === "strong" && node.closest(".view")) continue; // an answer may have bold words
      if (name === "code" && !node.closest("[data-testid=stMarkdownContainer], .view, .evidence")) continue;
      drawn.push(`${name} ${href} ${node.getAttribute("src") ?? ""} ${node.textContent.slice(0, 60)}`);
    }
    for (const node of root.querySelectorAll("[style*=color]")) {
      if (["r", "manual"].includes(node.textContent)) drawn.push(`coloured ${node.textContent}`);
    }
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) visit(node.shadowRoot);
  };
  visit(document);
  return drawn;
}"""

_TEXTS = """() => {
  const texts = [];
  const visit = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (["STYLE", "SCRIPT", "NOSCRIPT"].includes(node.tagName)) continue;
      const own = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data).join("");
      texts.push(own, node.value ?? "", ...["aria-label", "title"].map((name) => node.getAttribute(name) ?? ""));
      if (node.shadowRoot) visit(node.shadowRoot);
    }
  };
  visit(document);
  texts.push(...[...document.querySelectorAll("[data-testid=stMarkdownContainer]")].map((node) => node.textContent));
  return texts.filter((text) => typeof text === "string" && text.trim());
}"""


class Leaks:
    """A server that keeps what is asked of it: nothing may be."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        paths = self.paths

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                paths.append(self.path)
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing."""

        self.server = LocalServer(Handler)


@pytest.fixture
def leaks() -> Iterator[Leaks]:
    made = Leaks()
    with made.server:
        yield made


class Visit:
    """One window that goes through the pages and keeps what it saw."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.page = desk, desk.page
        self.asked: list[str] = []
        self.seen: dict[str, list[str]] = {}
        self.drawn: dict[str, list[str]] = {}
        self.page.on("request", lambda request: self.asked.append(request.url))

    def go(self, path: str) -> None:
        self.page.goto(self.desk.address + path)
        self.desk.settled()

    def look(self, place: str, *names: str) -> None:
        """Wait for these names as they were given, with brackets and signs; keep the texts and what was drawn of them.

        A page that is at rest may not have drawn its tables yet.
        """
        self.desk.settled()
        for name in names:
            until(partial(self._shows, name), seconds=60)
        self.page.wait_for_timeout(300)  # a picture would be asked for by now
        self.seen[place] = self._texts()
        self.drawn[place] = [str(one) for one in self.page.evaluate(_DRAWN)]
        self.page.screenshot(path=self.desk.picture(f"90-hostile-{place}"))

    def _texts(self) -> list[str]:
        return [str(text) for text in self.page.evaluate(_TEXTS)]

    def _shows(self, name: str) -> bool:
        return any(f"{name} ![x](" in text or f"![{name}](" in text for text in self._texts())


def _desk(visit: Visit) -> None:
    page = visit.page
    visit.look("desk-empty", "topic", "model")
    visit.desk.ask(QUESTION, "done")
    visit.look("desk-answer", "title0", "title1")
    page.locator(".st-key-not_useful button").click()
    page.locator(".st-key-correct button").click()
    expect(page.locator("[data-testid=stForm]")).to_be_visible()
    visit.look("desk-correction")
    pills = page.locator("[data-testid=stForm] [data-testid=stButtonGroup]")
    expect(pills).to_contain_text("title0 ![x](http")
    expect(pills).to_contain_text("$\\LaTeX$")
    page.locator(".st-key-correct_save button").click()
    visit.look("desk-corrected")


def _knowledge(visit: Visit) -> None:
    page = visit.page
    visit.go("/knowledge?view=articles")
    visit.look("knowledge", "title0", "title1", "file", "folder")
    page.locator("tr.can").first.click()
    expect(page.locator(".st-key-kb_passages .card").first).to_be_visible()
    visit.look("knowledge-article")
    visit.go("/knowledge?view=why")
    page.locator(".st-key-kb_why_question input, .st-key-kb_why_question textarea").first.fill(QUESTION)
    page.locator("[data-testid=stFormSubmitButton] button").first.click()
    expect(page.locator(".st-key-kb_why_ranking tbody tr").first).to_be_visible()
    visit.look("knowledge-why", "title0")
    visit.go("/knowledge?view=update")
    page.locator("input[type=file]").set_input_files(
        {
            "name": "up ![upload](leak.png) :red[r]\u202efdp.md",
            "mimeType": "text/markdown",
            "buffer": b"# A\n\nKettles boil.",
        }
    )
    expect(page.locator(".st-key-kb_waiting .card")).to_have_count(1)
    visit.look("knowledge-update", "folder", "upload")
    page.locator(".st-key-kb_reread button").first.click()
    visit.desk.settled()  # a click while the page is drawn anew may be lost
    page.locator(".st-key-kb_check button").click()
    expect(page.locator(".st-key-kb_publish button")).to_be_visible()
    visit.look("knowledge-checked")
    visit.go("/knowledge?view=past")
    visit.look("knowledge-past")


def _others(visit: Visit) -> None:
    page = visit.page
    visit.go("/quality?view=runs")
    page.locator(".st-key-q_runs tr.can").first.click()
    visit.look("quality-run", "run", "model")
    for view in ("compare", "gaps", "review"):
        visit.go(f"/quality?view={view}")
        if view == "gaps":
            page.locator(".st-key-q_find_gaps button").click()
            expect(page.locator(".st-key-q_topics tbody tr").first).to_be_visible()
        if view == "review" and page.locator("tr.can").count():
            page.locator("tr.can").first.click()
        visit.look(f"quality-{view}")
    visit.go("/models")
    page.locator(".st-key-m_models tr.can").filter(has_text="![x]").click()
    visit.look("models", "model")
    visit.go("/models?view=make")
    visit.look("models-make")
    visit.go("/people")
    visit.look("people", "about")
    visit.go("/performance")
    visit.look("performance")


def test_hostile_names_are_read_and_never_drawn(browser: Browser, leaks: Leaks, tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port, "tests.ui.hostile_desk", leaks.server.url) as address:
        visit = Visit(Desk.open(browser, address, "en"))
        _desk(visit)
        _knowledge(visit)
        _others(visit)
        visit.page.context.close()

    assert leaks.paths == []
    assert [url for url in visit.asked if not url.startswith((address, "data:", "blob:"))] == []
    assert [url for url in visit.asked if "leak" in url] == []
    assert {place: drawn for place, drawn in visit.drawn.items() if drawn} == {}
    unseen = re.compile(f"[{INVISIBLE}]")
    assert {place: text for place, texts in visit.seen.items() for text in texts if unseen.search(text)} == {}
