"""People at real browsers: they sign in, reach what is theirs, and nothing else by any link."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Unpack

import pytest
from playwright.sync_api import Browser, Page, expect

from rag.errors import ApiKeyRefused
from rag.people.directory import People
from rag.people.keys import ApiKeys
from rag.schema import Language
from rag.translate import translate
from tests.conftest import free_port
from tests.support.by_day import LOOKS, by_day
from tests.ui.accessibility import barriers
from tests.ui.browser import NEVER, SCREENSHOTS, Desk, WindowOptions, choose, leave, new_page
from tests.ui.conftest import served
from tests.ui.people_desk import PASSWORD, fill_in, furnish, signed_in
from ui.sign_in import COOKIE

pytestmark = pytest.mark.real

NewPage = Callable[..., Page]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("people")
    furnish(made)
    return made


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served(folder, free_port()) as served_at:
        yield served_at


@pytest.fixture
def people(folder: Path) -> Iterator[People]:
    made = People(folder / "people.db")
    yield made
    for person in made.list():
        if person.disabled:
            made.set_disabled(person.name, False, by="test")
    made.set_role("bo", "lead", by="test")
    made.set_scopes("mei", ["default", "payroll"], by="test")
    made.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[NewPage]:
    pages: list[Page] = []

    def _open(language: Language = "en", **options: Unpack[WindowOptions]) -> Page:
        pages.append(new_page(browser, language, **options))
        return pages[-1]

    yield _open
    for page in pages:
        leave(page)


def keep_picture(page: Page, name: str, language: Language, *, dark: bool) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{'dark' if dark else 'light'}-{language}.png", animations="disabled")


def asked(desk: Desk, question: str) -> str:
    """Ask and return the turn's id."""
    desk.ask(desk.prepare(question=question), "done")
    return desk.turn_id()


@pytest.mark.parametrize(("language", "dark"), by_day("en-light", "zh-dark", of=LOOKS))
def test_signing_in_leads_to_the_page_that_was_asked_for_and_a_reload_stays(
    opened: NewPage, address: str, language: Language, dark: bool
) -> None:
    page = opened(language, dark=dark)
    page.goto(f"{address}/?turn=nothing")
    expect(page.locator("h1")).to_have_text(translate("ui.sign_in", language))
    keep_picture(page, "20-sign-in", language, dark=dark)
    fill_in(page, "mei", "wrong password")
    expect(page.locator("[role=alert]")).to_be_visible()
    keep_picture(page, "21-sign-in-wrong", language, dark=dark)
    fill_in(page, "mei")
    desk = Desk(page, address, language)
    desk.settled()
    assert "turn=nothing" in page.url
    expect(page.get_by_text(translate("ui.turn_missing", language))).to_be_visible()
    page.reload()
    desk.settled()
    page.locator(".st-key-user button").first.click()
    expect(
        page.get_by_text(translate("ui.user_role", language, role=translate("ui.role_agent", language)))
    ).to_be_visible()
    desk.shoot(f"22-user-menu-{'dark' if dark else 'light'}")
    menu = page.get_by_test_id("stSidebarNav")
    expect(menu).to_be_visible()
    page.locator(".st-key-sign_out button").click()
    expect(page.get_by_text(translate("ui.signed_out", language))).to_be_visible()
    expect(menu).to_be_hidden()
    expect(page.get_by_role("link", name=translate("ui.sign_in", language))).to_be_visible()
    keep_picture(page, "23-signed-out", language, dark=dark)
    page.goto(address)
    expect(page.locator("h1")).to_have_text(translate("ui.sign_in", language))


def test_a_forged_cookie_reaches_nothing_even_past_the_form(opened: NewPage, address: str) -> None:
    """The page's own connection is asked as well, not only the first request."""
    page = opened(own=True)
    signed_in(page, address, "en", "lin")
    forged = {"name": COOKIE, "value": "forged", "url": address}
    page.context.add_cookies([forged])
    page.reload()
    expect(page.locator("form")).to_be_visible()
    page.route(f"{address}/", lambda route: route.continue_())
    page.context.add_cookies([{**forged, "name": "_streamlit_user", "value": "forged"}])
    page.context.clear_cookies(name=COOKIE)
    page.goto(address)
    expect(page.locator("form")).to_be_visible()
    assert page.locator(".st-key-question").count() == 0
    assert NEVER.search(page.content()) is None


@pytest.mark.parametrize("ending", ["disabled", "signed out", "another password"])
def test_who_is_put_out_finds_nothing_at_the_next_click(
    opened: NewPage, address: str, people: People, ending: str
) -> None:
    page = opened()
    desk = signed_in(page, address, "en", "lin")
    desk.box.fill("May I still ask?")
    if ending == "disabled":
        people.set_disabled("lin", True, by="test")
    elif ending == "signed out":
        people.sign_out_everywhere("lin", by="test")
    else:
        people.set_password("lin", people.password_of("lin"), by="test")
    page.keyboard.press("Enter")  # not at the box: a page that runs before this click has taken it away already
    # the page says so, or has been led to the form by then
    told = page.get_by_text(translate("ui.error_SignInNeeded", "en"))
    expect(told.or_(page.locator("form[method=post]")).first).to_be_visible()
    assert "turn=" not in page.url
    page.goto(address)
    fill_in(page, "lin")
    if ending == "disabled":
        expect(page.locator("[role=alert]")).to_be_visible()
    else:
        desk.settled()


def test_whose_session_ended_beside_an_open_page_finds_the_way_back_to_it(
    opened: NewPage, address: str, people: People
) -> None:
    """Without a sign-in the browser gets no more of the page's own files."""
    page = opened("en", own=True)
    desk = signed_in(page, address, "en", "mei", "/?lang=en")
    for drawn in (desk.box, page.locator(".st-key-language button").first):
        expect(drawn).to_be_visible()
    people.sign_out_everywhere("mei", by="test")
    page.evaluate("() => document.querySelector('.st-key-language button')?.click()")
    told, form = page.get_by_text(translate("ui.error_SignInNeeded", "zh")), page.locator("form[method=post]")
    expect(told.or_(form).first).to_be_visible()
    if told.is_visible():  # else the page has been led to the form by then
        assert NEVER.search(page.inner_text("body")) is None
        page.get_by_role("link", name=translate("ui.sign_in", "zh")).click()
    fill_in(page, "mei")
    Desk(page, address, "zh").settled()


@pytest.mark.parametrize("language", by_day("zh"))
def test_another_scopes_turn_is_reached_by_no_link_list_or_search(
    opened: NewPage, address: str, people: People, language: Language
) -> None:
    theirs = opened(language)
    mei = signed_in(theirs, address, language, "mei")
    field = theirs.locator(".st-key-scope [role=combobox], .st-key-scope input").first
    choose(field, theirs.get_by_role("option", name="payroll"))
    mei.settled()
    secret = "Bonus 4711?" if language == "en" else "奖金 4711 怎么算？"
    turn_id = asked(mei, secret)
    mei.shoot("24-scope")
    for name in ("lin", "bo"):
        page = opened(language)
        desk = signed_in(page, address, language, name, f"/?turn={turn_id}")
        expect(
            page.get_by_text(translate("ui.turn_missing", language))
        ).to_be_visible()  # as of one that does not exist
        assert "4711" not in " ".join(text for _, text in desk.texts())
        assert page.locator(".st-key-scope").count() == 0
        if name == "bo":
            page.get_by_text(translate("ui.history_team", language)).click()
            desk.settled()
        page.locator(".st-key-history_search input").fill("4711")
        page.locator(".st-key-history_search input").press("Enter")
        expect(page.get_by_text(translate("ui.history_none_found", language))).to_be_visible()
        if name == "lin":
            desk.shoot("25-not-permitted")
    people.set_scopes("mei", ["default"], by="test")
    theirs.reload()
    expect(theirs.get_by_text(translate("ui.turn_missing", language))).to_be_visible()
    expect(theirs.get_by_text(secret)).to_have_count(0)


@pytest.mark.parametrize("state", ["running", "done"])
def test_who_loses_the_scope_sees_no_more_of_the_answer_without_a_click(
    opened: NewPage, address: str, people: People, folder: Path, state: str
) -> None:
    page = opened("zh" if state == "done" else "en")
    desk = signed_in(page, address, "zh" if state == "done" else "en", "mei")
    question = desk.prepare(question=f"Is the heater {state}?", until="think" if state == "running" else "all")
    desk.ask(question, "reading" if state == "running" else "done")
    expect(desk.evidence).to_have_attribute("data-passages", "5")
    people.set_scopes("mei", ["payroll"], by="test")
    expect(page.get_by_text(translate("ui.turn_missing", desk.language))).to_be_visible()
    expect(desk.evidence).to_have_attribute("data-passages", "0")
    expect(page.get_by_text(question)).to_have_count(0)
    assert "Traceback" not in (folder / "desk.log").read_text(encoding="utf-8")


def test_a_page_that_nobody_touches_leads_to_the_form_when_the_sign_in_is_ended(
    opened: NewPage, address: str, people: People
) -> None:
    page = opened("en")
    turn_id = asked(signed_in(page, address, "en", "mei"), "Is the heater loud?")
    people.sign_out_everywhere("mei", by="test")
    expect(page.locator("form[method=post]")).to_be_visible()
    fill_in(page, "mei")
    expect(page.locator(".question")).to_have_text("Is the heater loud?")
    assert turn_id in page.url


def test_a_turn_of_the_same_scope_is_opened_by_its_link_and_a_lead_sees_the_teams(
    opened: NewPage, address: str
) -> None:
    turn_id = asked(signed_in(opened(), address, "en", "mei"), "Is the heater safe overnight?")
    lin = signed_in(opened(), address, "en", "lin", f"/?turn={turn_id}")
    expect(lin.page.locator(".question")).to_have_text("Is the heater safe overnight?")
    expect(lin.page.locator(".list.rows .row")).to_have_count(0)  # it is not in lin's own history
    bo = signed_in(opened(), address, "en", "bo")
    bo.page.get_by_text(translate("ui.history_team", "en")).click()
    expect(bo.page.locator(".list.rows").get_by_text("Is the heater safe overnight?")).to_be_visible()


@pytest.mark.parametrize("language", by_day("en"))
def test_a_page_of_another_role_is_refused_by_link_and_at_the_click_after_a_withdrawal(
    opened: NewPage, address: str, people: People, language: Language
) -> None:
    page = opened(language)
    desk = signed_in(page, address, language, "lin", "/people")
    expect(page.get_by_text(translate("ui.not_permitted", language))).to_be_visible()
    assert "root" not in " ".join(text for _, text in desk.texts())
    desk.shoot("26-page-not-permitted")
    people.set_role("bo", "admin", by="test")
    other = opened(language)
    admin = signed_in(other, address, language, "bo", "/people")
    # The record of changes below may have the same words.
    expect(other.get_by_role("heading", name=translate("ui.people_add", language))).to_be_visible()
    people.set_role("bo", "lead", by="test")
    other.locator(".st-key-people_sign_out button").click()
    expect(other.get_by_text(translate("ui.not_permitted", language)).or_(
        other.get_by_text(translate("ui.error_PeopleError", language))).first).to_be_visible()  # fmt: skip
    expect(admin.page.get_by_text(translate("ui.people_add", language))).to_have_count(0)


@pytest.mark.parametrize(("language", "dark"), by_day("en-dark", of=LOOKS))
def test_an_admin_lets_somebody_in_who_then_signs_in(
    opened: NewPage, address: str, language: Language, dark: bool
) -> None:
    page = opened(language, dark=dark)
    desk = signed_in(page, address, language, "root", "/people")
    desk.shoot(f"27-people-{'dark' if dark else 'light'}")
    name = f"new-{language}-{'d' if dark else 'l'}"
    page.locator(".st-key-add_name input").fill(name)
    page.locator(".st-key-add_password input").fill("short")
    page.get_by_role("button", name=translate("ui.people_add_button", language), exact=True).click()
    expect(page.locator("[data-testid=stAlert]").first).to_contain_text("10")
    page.locator(".st-key-add_password input").fill(PASSWORD)
    page.get_by_role("button", name=translate("ui.people_add_button", language), exact=True).click()
    expect(page.get_by_text(translate("ui.people_done", language))).to_be_visible()
    expect(
        page.get_by_role("table", name=translate("ui.people", language)).get_by_role("cell", name=name)
    ).to_be_visible()
    desk.settled()
    desk.check()
    with page.expect_download() as download:
        page.get_by_role("button", name=translate("ui.record_download", language)).click()
    assert f'"about": "{name}"' in download.value.path().read_text(encoding="utf-8")
    page.mouse.move(700, 500)
    page.mouse.wheel(0, 3000)
    keep_picture(page, "28-record", language, dark=dark)
    newcomer = signed_in(opened(language), address, language, name)
    expect(newcomer.page.get_by_text(translate("ui.no_scope", language))).to_be_visible()
    newcomer.shoot("29-no-scope")


def test_who_is_added_after_a_switch_of_the_language_has_the_role_that_the_form_shows(
    opened: NewPage, address: str, people: People
) -> None:
    page = opened("en")
    desk = signed_in(page, address, "en", "root", "/people")
    page.locator(".st-key-language button").first.click()
    expect(page.get_by_role("heading", name=translate("ui.people_add", "zh"))).to_be_visible()
    desk.settled()
    page.locator(".st-key-add_name input").fill("n1")
    page.get_by_role("button", name=translate("ui.people_add_button", "zh"), exact=True).click()
    expect(page.get_by_text(translate("ui.people_done", "zh"))).to_be_visible()
    assert people.find("n1").role == "agent"


@pytest.mark.parametrize(("language", "dark"), by_day("zh-light", of=LOOKS))
def test_an_admin_makes_a_key_whose_secret_is_shown_once_and_revokes_it(
    opened: NewPage, address: str, folder: Path, language: Language, dark: bool
) -> None:
    page = opened(language, dark=dark)
    desk = signed_in(page, address, language, "root", "/people")
    page.set_viewport_size({"width": 1280, "height": 1800})  # scrolling closes the lists of choices
    page.locator(".st-key-key_name input").fill("widget *b* $x$")
    rights = [translate(f"ui.key_right_{right}", language) for right in ("ask", "documents_read")]
    for field, names in (("key_rights", rights), ("key_scopes", ["payroll"])):
        page.locator(f".st-key-{field} input").click()
        for name in names:
            page.get_by_role("option", name=name, exact=True).click()
        page.keyboard.press("Tab")
        expect(page.get_by_role("listbox")).to_have_count(0)
    page.get_by_role("button", name=translate("ui.keys_make_button", language), exact=True).click()
    secret = page.locator(".st-key-key_secret code").inner_text().strip()
    desk.settled()
    page.locator(".st-key-key_secret").scroll_into_view_if_needed()
    page.locator(".st-key-key_secret code").hover()
    expect(page.locator(".st-key-key_secret [data-testid=stBaseButton-elementToolbar]")).to_be_visible()
    keep_picture(page, "29a-key-secret", language, dark=dark)
    assert barriers(page) == []
    with ApiKeys(folder / "people.db") as keys:
        key = keys.key_of(secret)
        named = ("widget", secret, *(one.key_id for one in keys.list()))
        assert [words for words in desk.words_of_the_other_language() if not any(one in words for one in named)] == []
        assert (key.owner, key.scopes, key.audience) == ("root", {"payroll"}, "public")
        page.get_by_role("button", name=translate("ui.keys_secret_stored", language)).click()
        expect(page.get_by_text(secret)).to_have_count(0)
        desk.settled()
        table = page.get_by_role("table", name=translate("ui.api_keys", language))
        expect(table.get_by_role("cell", name=f"widget *b* $x$ ({key.key_id})")).to_be_visible()
        page.get_by_text(translate("ui.keys_sure", language)).click()
        keep_picture(page, "29b-keys", language, dark=dark)
        page.get_by_role("button", name=translate("ui.keys_revoke", language)).click()
        expect(page.get_by_text(translate("ui.keys_done_revoke", language))).to_be_visible()
        expect(table).to_have_count(0)
        with pytest.raises(ApiKeyRefused):
            keys.key_of(secret)
