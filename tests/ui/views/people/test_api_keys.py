"""API keys on the page People, without a browser: what is shown once, what is asked twice, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.services.shared import SharedServices
from api.services.start import open_people
from rag.errors import ApiKeyRefused
from rag.people.keys import ApiKey, ApiKeys
from rag.schema import Language
from rag.settings import Settings
from rag.storage.access import Access
from rag.storage.writer import KnowledgeWriter
from rag.translate import translate
from tests.ui.test_app import Harness
from ui.formats import as_markdown
from ui.views.people import api_keys

pytestmark = pytest.mark.slow

LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Page:
    """The page People where nobody signs in, with the knowledge bases default and shop."""

    def __init__(self, folder: Path) -> None:
        for name in ("default", "shop"):
            writer = KnowledgeWriter(folder / "knowledge" / name)
            writer.set_access(Access())
            writer.close()
        self.harness = Harness(folder)
        self.people = open_people(Settings(data_dir=folder))
        self.services: SharedServices = replace(self.harness.services, people=self.people)

    @property
    def keys(self) -> ApiKeys:
        return self.people.keys

    def open(self, language: Language = "en") -> AppTest:
        def script(services):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  (its source is run elsewhere)
            import streamlit as st

            from ui.session import page_context
            from ui.views.people import page as people

            st.set_page_config(layout="wide")
            people.render(page_context(services))

        test = AppTest.from_function(script, args=(self.services,), default_timeout=90)
        test.query_params["lang"] = language
        test.run()
        assert not test.exception
        return test

    def made(self, name: str = "widget", *, expires_at: datetime | None = None) -> tuple[str, ApiKey]:
        return self.keys.add(name, ["ask"], ["shop"], audience="public", expires_at=expires_at, owner="", by="test")

    def close(self) -> None:
        self.harness.turns.close()
        self.keys.close()
        self.people.people.close()
        self.people.audit.close()
        self.people.sign_ins.close()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    made = Page(tmp_path)
    yield made
    made.close()


def said(test: AppTest) -> str:
    kinds = (test.caption, test.success, test.warning, test.error, test.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def fill_in(test: AppTest, language: Language, **values: object) -> AppTest:
    test.text_input(key="key_name").set_value(str(values.get("name", "widget [b]")))
    test.multiselect(key="key_rights").set_value(values.get("rights", ["ask", "documents:read"]))  # type: ignore[arg-type]
    test.multiselect(key="key_scopes").set_value(values.get("scopes", ["shop"]))  # type: ignore[arg-type]
    test.selectbox(key="key_audience").set_value(values.get("audience", "public"))
    label = translate("ui.keys_make_button", language)
    return next(button for button in test.button if button.label == label).click().run()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_key_is_made_and_its_secret_is_shown_until_it_is_stored(page: Page, language: Language) -> None:
    test = page.open(language)
    assert translate("ui.keys_none", language) in said(test)
    test = fill_in(test, language)
    assert not test.exception
    [shown] = test.code
    key = page.keys.key_of(shown.value)
    assert (key.name, key.rights, key.scopes) == ("widget [b]", {"ask", "documents:read"}, {"shop"})
    assert (key.audience, key.owner, key.questions_a_minute) == ("public", "", None)
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - datetime.now(UTC) < timedelta(days=91)
    assert translate("ui.keys_secret", language, name=as_markdown("widget [b]")) in said(test)
    assert len(test.run().code) == 1, "a run that nobody asked for takes it from nobody"
    test.button(key="key_secret_stored").click().run()
    assert len(test.code) == 0
    assert len(page.open(language).code) == 0
    assert page.people.audit.entries(1)[0].who == "local"


def test_a_secret_that_nobody_puts_away_goes_by_itself(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "_SECRET_SHOWN_SECONDS", 0.0)
    test = fill_in(page.open(), "en")
    assert len(test.code) == 0
    assert api_keys._SECRET not in test.session_state
    assert len(page.keys.list()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": " "}, "name"),
        ({"rights": []}, "rights"),
        ({"scopes": []}, "scopes"),
        ({"rights": ["publish"]}, "public"),
    ],
)
def test_what_cannot_be_a_key_is_said_and_the_form_stays_filled(
    page: Page, language: Language, values: dict[str, object], reason: str
) -> None:
    test = fill_in(page.open(language), language, **values)
    assert len(test.error) == 1
    words = translate(f"errors.reasons.ApiKeyUnusable.{reason}", language, known="KNOWN").partition("KNOWN")[0]
    assert words in test.error[0].value.replace("\\", "").replace(":gray[]", "")
    assert test.selectbox(key="key_audience").value == "public"
    assert page.keys.list() == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_key_is_revoked_only_by_somebody_who_says_that_they_are_sure(page: Page, language: Language) -> None:
    secret, key = page.made()
    page.made("other")
    test = page.open(language)
    assert test.button(key="keys_revoke").disabled
    assert test.button(key="keys_roll").disabled
    test.checkbox(key="key_sure").check().run()
    other = page.keys.list()[1]
    test.selectbox(key="key_chosen").set_value(other.key_id).run()
    assert test.button(key="keys_revoke").disabled, "that was said of another key"
    test.selectbox(key="key_chosen").set_value(key.key_id).run()
    test.checkbox(key="key_sure").check().run()
    test.button(key="keys_revoke").click().run()
    assert translate("ui.keys_done_revoke", language) in said(test)
    with pytest.raises(ApiKeyRefused):
        page.keys.key_of(secret)
    assert test.selectbox(key="key_chosen").value == other.key_id
    assert test.button(key="keys_revoke").disabled


def test_a_replaced_secret_is_shown_once(page: Page) -> None:
    secret, key = page.made()
    test = page.open()
    test.checkbox(key="key_sure").check().run()
    test.button(key="keys_roll").click().run()
    [shown] = test.code
    assert shown.value != secret
    assert page.keys.key_of(shown.value).key_id == key.key_id
    assert test.button(key="keys_roll").disabled


def test_a_key_that_somebody_else_revoked_meanwhile_is_said(page: Page) -> None:
    _, key = page.made()
    test = page.open()
    test.checkbox(key="key_sure").check().run()
    page.keys.revoke(key.key_id, by="test")
    test.button(key="keys_revoke").click().run()
    assert key.key_id in test.error[0].value
    assert translate("ui.keys_none", "en") in said(test)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_has_what_matters_of_each_key(page: Page, language: Language) -> None:
    _, key = page.made("widget [b]")
    page.keys.note_use(key.key_id)
    page.made("old", expires_at=datetime.now(UTC) + timedelta(seconds=0.2))
    test = page.open(language)
    table = test.table[0].value
    assert table.shape == (2, 8)
    first = [str(cell).replace("\\", "").replace(":gray[]", "") for cell in table.iloc[0]]
    assert first[0] == f"widget [b] ({key.key_id})"
    assert first[1:4] == [translate("ui.key_right_ask", language), "shop", translate("ui.keys_for_public", language)]
    assert first[7] == translate("ui.keys_never", language)


def test_no_key_is_used_before_it_was_made(page: Page) -> None:
    _, key = page.made()
    hour = key.created_at.replace(minute=0, second=0, microsecond=0)
    assert api_keys.last_use(key) is None
    assert api_keys.last_use(replace(key, used_at=hour)) == key.created_at, "its hour alone is kept"
    later = hour + timedelta(hours=2)
    assert api_keys.last_use(replace(key, used_at=later)) == later


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_names_rights_as_the_form_does(tmp_path: Path, language: Language) -> None:
    page = Page(tmp_path)
    test = page.open(language)
    test.text_input(key="key_name").set_value("shop")
    test.multiselect(key="key_rights").set_value(["ask", "people"])
    test.multiselect(key="key_scopes").set_value(["shop"])
    test.selectbox(key="key_audience").set_value("public")
    next(one for one in test.button if one.label == translate("ui.keys_make_button", language)).click().run()
    (said,) = test.error
    assert as_markdown(api_keys.right_in_words("documents:read", language)) in said.value
    assert "documents" not in said.value
