"""The made-up day of the Performance page: behind a button, alone on the page, and gone with a click."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from api.services.start import performance_reports
from rag.schema import Language
from rag.settings import Settings
from rag.translate import translate
from tests.ui.test_app import Harness

pytestmark = pytest.mark.slow


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    made = Harness(tmp_path)
    made.services = replace(made.services, reports=performance_reports(Settings(data_dir=tmp_path)))
    yield made
    made.turns.close()


def open_performance(harness: Harness, language: Language) -> AppTest:
    """Run the page by itself."""

    def script(services):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  (its source is run elsewhere)
        from ui.session import page_context
        from ui.views import performance

        performance.render(page_context(services))

    test = AppTest.from_function(script, args=(harness.services,), default_timeout=90)
    test.query_params["lang"] = language
    test.run()
    assert not test.exception
    return test


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_shown_on_request_and_said_to_be_made_up(harness: Harness, language: Language) -> None:
    test = open_performance(harness, language)
    assert [one.value for one in test.info] == [translate("ui.performance_none", language)]
    assert not test.metric and not test.warning, "nothing made up unless somebody asks for it"

    test.button(key="made_up_show").click().run()
    assert not test.exception
    assert [one.value for one in test.header] == [translate("ui.made_up_title", language)]
    assert [one.value for one in test.warning] == [translate("ui.made_up_warning", language)]
    rate = next(one for one in test.metric if one.label == translate("ui.figure_rate", language))
    assert rate.value == "0.11", "165 questions in 1440 minutes"
    assert [one.value for one in test.subheader] == [translate("ui.stages_title", language)], "no machine, no turns"
    assert [button.key for button in test.button] == ["made_up_end"]

    test.button(key="made_up_end").click().run()
    assert not test.exception
    assert [one.value for one in test.info] == [translate("ui.performance_none", language)]
    assert not test.metric and not test.warning
