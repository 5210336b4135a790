"""The desk as a person at a browser uses it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TypedDict, Unpack
from weakref import WeakKeyDictionary

import httpx
from playwright.sync_api import Browser, Error, Locator, Page, TimeoutError, expect

from rag.schema import Language
from tests.ui.accessibility import barriers
from tests.ui.scenes import WORDS

SCREENSHOTS = Path(__file__).parents[1] / "output" / "desk"
PATIENCE_MS = 60_000
"""How long a page is waited for.  Two browsers and their servers share two cores with whatever else runs there: a limit
that is reached says that something never comes, not that it is late."""
_TRIES = 6
LOCALES: dict[str, str] = {"en": "en-GB", "zh": "zh-CN"}
NEVER = re.compile(r"Traceback|Error:|BidiComponent|Exception|</?think|<\|im_|/srv/|127\.0\.0\.1:11434|site-packages")

_ALL_TEXT = """() => {
  const texts = [];
  const visit = (root, lang) => {
    for (const node of root.children) {
      if (["STYLE", "SCRIPT", "NOSCRIPT", "SVG"].includes(node.tagName.toUpperCase())) continue;
      const own = node.getAttribute("lang") || lang;
      if (node.getAttribute("translate") !== "no") {
        for (const child of node.childNodes) if (child.nodeType === 3) texts.push([own, child.data.trim()]);
      }
      for (const name of ["aria-label", "title", "placeholder"]) texts.push([own, node.getAttribute(name) ?? ""]);
      if (node.shadowRoot) visit(node.shadowRoot, own);
      visit(node, own);
    }
  };
  visit(document.body, document.documentElement.lang);
  return texts.filter(([, text]) => text);
}"""
_TOO_WIDE = """() => [document.documentElement, ...document.querySelectorAll(
    "body, .st-key-page, .st-key-left, .st-key-right, [data-testid=stMain]")]
  .filter((node) => node.scrollWidth > node.clientWidth + 1)
  .map((node) => `${node.tagName}.${node.className}: ${node.scrollWidth} > ${node.clientWidth}`)"""
_CLIPPED = """() => {
  const clipped = [];
  const visit = (root) => {
    for (const node of root.querySelectorAll("button, .label, .verdict, .stand-in, summary, h1")) {
      if (node.closest("[data-collapsed=true]") || getComputedStyle(node).display === "inline") continue;
      if (node.scrollWidth > node.clientWidth + 1) {
        clipped.push(node.textContent);
      }
    }
    for (const node of root.querySelectorAll("*")) if (node.shadowRoot) visit(node.shadowRoot);
  };
  visit(document);
  return clipped;
}"""
_NAMES = re.compile(
    r"MRR@10|nDCG@10|ROUGE-L|AUROC|"
    r"Answerdesk|DeepSeek-R1|stand-in:[\d.]+b|deepseek-r1:[\d.]+b|(Shift|Alt) ?\+ ?\w+|Enter|Ctrl\+C|English|Drift R3"
    r"|GGUF|API|safetensors|Ollama|/api/ps|chatml(-think)?"
    r"|[\w-]+\.(eml|png|exe)(, [\d.]+K?B)?|BMP、EML[A-Z、]+"
    r"|python -m (eval|ingest)( [\w,.-]+)+"  # to give at a terminal
    # people, files and knowledge bases have the names that somebody gave them
    r"|\b(mei|lin|bo|root|test|new-\w+-\w|default|payroll|manual)\b"
)


def choose(field: Locator, option: Locator) -> None:
    """Open a list and take an option of it: a page that is still being laid out closes its lists, as scrolling does."""
    for _ in range(_TRIES):
        field.click()
        with suppress(TimeoutError):
            option.click(timeout=PATIENCE_MS / _TRIES)
            return
    raise AssertionError(f"{option} was never there for long enough to be clicked")


_WITHOUT_BARRIERS: set[str] = set()
"""The names of the states in which this process found none; a name tells page, theme and size."""


class WindowOptions(TypedDict, total=False):
    """What the desk is opened with: where, in which theme, in a window of which size in CSS pixels.

    ``own``: no other test has had this window or will.  A test needs that which listens to its window, or gives it a
    script, a route or a permission: nobody can take those away.
    """

    path: str
    dark: bool
    width: int
    height: int
    scale: int
    own: bool


_Kind = tuple[Language, int]
"""What a window cannot change once it is open: its language and its scale."""

_kinds: WeakKeyDictionary[Page, _Kind] = WeakKeyDictionary()
_free: WeakKeyDictionary[Browser, dict[_Kind, list[Page]]] = WeakKeyDictionary()


def new_page(browser: Browser, language: Language, **options: Unpack[WindowOptions]) -> Page:
    """Return an empty page in a browser context of its own, which knows nobody and remembers nothing.

    One that another test has given back (``leave``) has Streamlit's program compiled, which is half of what a window
    takes.
    """
    kind = (language, options.get("scale", 1))
    size = (options.get("width", 1280), options.get("height", 720))
    free = _free.setdefault(browser, {}).setdefault(kind, [])
    if free and not options.get("own"):
        page = free.pop()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme="dark" if options.get("dark") else "light")
        return page
    context = browser.new_context(
        locale=LOCALES[language],
        timezone_id="Asia/Shanghai",
        color_scheme="dark" if options.get("dark") else "light",
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=options.get("scale", 1),
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    if not options.get("own"):
        _kinds[page] = kind
    return page


def leave(page: Page) -> None:
    """Give a window back for another test of this file; close the test's own, and one that cannot be emptied."""
    context, browser = page.context, page.context.browser
    kind = _kinds.get(page)
    if kind is None or browser is None or page.is_closed() or context.pages != [page]:
        context.close()
        return
    try:
        if page.url.startswith("http"):
            page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.goto("about:blank")
    except Error:  # it was on its way elsewhere, or its server is gone
        context.close()
        return
    context.clear_cookies()
    page.mouse.move(0, 0)
    _free[browser][kind].append(page)


class Desk:
    """One browser window with the desk in it."""

    def __init__(self, page: Page, address: str, language: Language) -> None:
        self.page = page
        self.address = address
        self.language = language

    @classmethod
    def open(
        cls,
        browser: Browser,
        address: str,
        language: Language,
        **options: Unpack[WindowOptions],
    ) -> Desk:
        desk = cls(new_page(browser, language, **options), address, language)
        desk.page.bring_to_front()
        desk.page.goto(address + options.get("path", "/"))
        desk.settled()
        return desk

    def settled(self) -> None:
        """Wait until the page is connected, its script has run, and the browser has the code of all that it shows."""
        app = self.page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]")
        at_rest = app.and_(self.page.locator("[data-test-script-state=notRunning]"))
        expect(at_rest).to_be_visible(timeout=2 * PATIENCE_MS)
        expect(self.page.locator(".shell h1")).to_be_visible()
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)

    def reload(self) -> None:
        """Load the page again, and wait until it listens to keys: its head line may come after the turn."""
        self.page.reload()
        self.settled()

    def leave(self) -> None:
        """Give the window back, or close it (``leave``)."""
        leave(self.page)

    # what is on the page

    @property
    def box(self) -> Locator:
        return self.page.locator(".st-key-question textarea")

    @property
    def view(self) -> Locator:
        return self.page.locator(".view")

    @property
    def evidence(self) -> Locator:
        return self.page.locator(".evidence")

    @property
    def editor(self) -> Locator:
        return self.page.locator(".editor textarea")

    def draft(self) -> str:
        """Return the text in the reply editor, which is drawn after the answer's end is."""
        expect(self.editor).to_be_visible()
        return self.editor.input_value()

    def turn_id(self) -> str:
        return re.search(r"turn=([\w-]+)", self.page.url)[1]  # type: ignore[index]

    def texts(self) -> list[tuple[str, str]]:
        """Return every text, label and placeholder with its language, also inside of shadow roots."""
        return [(str(language), str(text)) for language, text in self.page.evaluate(_ALL_TEXT)]

    def words_of_the_other_language(self) -> list[str]:
        """Return the page's own texts that are not in its language; what is marked as the other language may be."""
        page_language = self.page.evaluate("() => document.documentElement.lang")
        own = [_NAMES.sub("", text) for language, text in self.texts() if language == page_language]
        foreign = re.compile(r"[A-Za-z]{3}" if self.language == "zh" else "[\u4e00-\u9fff]")
        return [text for text in own if foreign.search(text) and text != "中文"]

    # what the person does

    def prepare(self, scene: str = "done", until: str = "all", question: str = "") -> str:
        """Say what the scripted desk plays for a question, and how far; returns the question."""
        question = question or WORDS[self.language].question
        self._post("let", {"question": question, "scene": scene, "until": until})
        return question

    def ask(self, question: str, state: str = "") -> None:
        self.box.fill(question)
        self.box.press("Enter")
        if state:
            self.reaches(state)

    def reaches(self, state: str) -> None:
        """Wait until the turn is in this state on the screen."""
        expect(self.page.locator(f".view[data-turn-state={state}]")).to_be_visible()

    def set_model(self, **values: object) -> None:
        self._post("set", {"model": values})

    def set_knowledge(self, **values: object) -> None:
        self._post("set", {"knowledge": values})

    def picture(self, name: str) -> Path:
        """Return where a picture of this name is kept."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        return SCREENSHOTS / f"{name}-{self.language}.png"

    def clipped_labels(self) -> list[str]:
        """Return the buttons and labels whose words do not fit."""
        return [str(label) for label in self.page.evaluate(_CLIPPED)]

    def shoot(self, name: str) -> None:
        """Keep a picture for people to look at, and check what must hold in every state."""
        self.settled()
        expect(self.page.locator("[data-testid=stSkeleton]")).to_have_count(0)
        self.page.screenshot(path=self.picture(name), animations="disabled", caret="initial")
        self.check(name)

    def check(self, state: str = "") -> None:
        """No traceback or template tag, no word of the other language, nothing to scroll sideways, no barrier.

        Of a ``state`` with a name, which tells page, theme and size, barriers are looked for in the first language: the
        other has the same elements in the same colours.  Without a name they always are.
        """
        assert [text for _, text in self.texts() if NEVER.search(text)] == []
        assert self.words_of_the_other_language() == []
        assert self.page.evaluate(_TOO_WIDE) == []
        if not state or state not in _WITHOUT_BARRIERS:
            assert barriers(self.page) == []
            _WITHOUT_BARRIERS.add(state)

    def _post(self, route: str, body: object) -> None:
        httpx.post(f"{self.address.replace('desk.test', '127.0.0.1')}/scripted/{route}", json=body).raise_for_status()
