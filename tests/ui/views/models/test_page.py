"""The page's logic without a browser: what each part draws, and that the buttons do what they say."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.services.shared import SharedServices
from rag.schema import Language
from rag.settings import KEPT_NAME
from rag.translate import translate
from tests.api.services.test_models import Surroundings
from tests.ui.test_app import Harness
from tests.ui.views.models.fake_server import R1, WHOLE, FakeModelServer
from ui.formats import as_markdown

pytestmark = pytest.mark.slow

LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Page:
    """The Models page over a fake model server."""

    def __init__(self, folder: Path, server: FakeModelServer) -> None:
        self.here = Surroundings(folder / "models", server)
        self.harness = Harness(folder)
        self.services: SharedServices = replace(self.harness.services, models=self.here.registry)

    def open(self, language: Language, view: str, model: str = "") -> AppTest:
        def script(services):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  (its source is run elsewhere)
            import streamlit as st

            from ui.session import page_context
            from ui.views.models import page as models

            st.set_page_config(layout="wide")
            models.render(page_context(services))

        test = AppTest.from_function(script, args=(self.services,), default_timeout=90)
        test.query_params["lang"] = language
        test.query_params["view"] = view
        if model:
            test.query_params["model"] = model
        test.run()
        assert not test.exception
        return test


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with FakeModelServer() as server:
        made = Page(tmp_path, server)
        yield made
        made.here.jobs.close()
        made.harness.turns.close()


def said(test: AppTest) -> str:
    kinds = (test.markdown, test.caption, test.success, test.warning, test.error, test.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_can_be_loaded_chosen_and_is_deleted_by_its_name(page: Page, language: Language) -> None:
    test = page.open(language, "installed", R1)
    assert not test.button(key="m_load").disabled
    assert test.button(key="m_unload").disabled
    assert test.button(key="m_delete").disabled
    assert translate("ui.m_advice_fits", language, asked=2, context="4,096", total="0.01", budget="13.6", most="6,469",
                slots=4, kind="F16") in said(test)  # fmt: skip
    test.button(key="m_load").click().run()
    page.here.jobs.wait("models serving", 60)
    test.run()
    assert translate("ui.m_done_load", language, name=as_markdown(R1)) in said(test)
    assert not test.button(key="m_unload").disabled
    test.text_input(key="m_typed").set_value(R1).run()
    test.button(key="m_delete").click().run()
    page.here.jobs.wait("models serving", 60)
    test.run()
    assert translate("ui.m_done_delete", language, name=as_markdown(R1)) in said(test)
    assert R1 not in page.here.server.models


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_kind_that_cannot_be_made_and_a_second_job_are_refused_in_words(page: Page, language: Language) -> None:
    test = page.open(language, "make")
    assert test.button(key="m_pull").disabled
    test.selectbox(key="m_source").set_value(WHOLE).run()
    test.button(key="m_quantize").click().run()
    page.here.jobs.wait("models making", 60)
    test.run()
    assert as_markdown("deepseek-r1:7b-q8_0") in said(test)

    page.here.server.gate.clear()
    test.text_input(key="m_pull_name").set_value("new:1b").run()
    page.here.desk.pull("other:1b")  # another admin was quicker than this page's picture
    test.button(key="m_pull").click().run()
    assert translate("ui.m_busy", language) in said(test)
    assert test.button(key="m_import").disabled
    assert translate("ui.job_running_for", language, time="0:") in said(test)
    test.button(key="m_stop_making").click().run()
    page.here.jobs.wait("models making", 60)
    test.run()
    assert translate("ui.m_stopped", language) in said(test)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_profile_is_saved(page: Page, language: Language) -> None:
    test = page.open(language, "profile")
    assert test.button(key="m_profile_save").disabled
    test.segmented_control(key="m_profile_chosen").set_value("code").run()
    test.button(key="m_profile_save").click().run()
    assert translate("ui.m_profile_saved", language) in said(test)
    assert page.here.desk.profile().next_start == "code"


@pytest.mark.parametrize("view", ["installed", "profile"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_damaged_file_of_choices_is_said(page: Page, language: Language, view: str) -> None:
    page.here.settings.data_dir.mkdir(exist_ok=True)
    (page.here.settings.data_dir / KEPT_NAME).write_text("{", encoding="utf-8")
    assert translate("ui.m_not_kept", language) in said(page.open(language, view))
