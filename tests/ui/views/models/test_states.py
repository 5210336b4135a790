"""Every state of the Models page in a real browser, in both languages, with a picture of each."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from eval.core.runs import Run
from eval.train.findings import COMMAND, Arm, Findings, Share, as_json
from rag.schema import Language
from rag.translate import translate
from tests.support.by_day import by_day
from tests.ui.views.models.conftest import OpenPage
from tests.ui.views.models.fake_server import R1, STAND_IN

pytestmark = pytest.mark.real


@pytest.mark.parametrize("language", by_day("zh"))
def test_models_are_looked_at_loaded_behind_answers_chosen_and_deleted(open_page: OpenPage, language: Language) -> None:
    window = open_page(language)
    page = window.page
    rows = page.locator(".st-key-m_models tr.can")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text=STAND_IN)).to_contain_text(translate("ui.m_answers_now", language))
    expect(rows.filter(has_text=STAND_IN)).to_contain_text(translate("ui.stand_in", language))
    window.shoot("60-models")
    assert window.clipped_labels() == []
    page.locator(".st-key-m_arithmetic summary").click()
    page.locator(".st-key-m_arithmetic .line").last.scroll_into_view_if_needed()
    window.shoot("61-models-arithmetic")

    window.set(answers=2)
    rows.filter(has_text=R1).click()
    window.settled()  # a click while the page is drawn anew is lost
    window.press("m_load")
    expect(page.get_by_text(translate("ui.m_waiting", language, count=2).split("2")[0])).to_be_visible()
    window.settled()
    page.screenshot(path=window.picture("62-models-waiting"))
    window.set(answers=0)
    expect(page.get_by_text(translate("ui.m_done_load", language, name=R1))).to_be_visible()
    window.settled()  # while the page is drawn anew its old buttons may stand beside the new ones
    expect(page.locator(".st-key-m_unload button")).to_be_enabled()

    window.press("m_use")
    expect(page.get_by_text(translate("ui.m_done_use", language, name=R1))).to_be_visible()
    expect(rows.filter(has_text=R1)).to_contain_text(translate("ui.m_answers_next", language))
    window.settled()
    expect(page.locator(".st-key-m_delete button")).to_be_disabled()
    window.fill("m_typed", R1)
    expect(page.locator(".st-key-m_delete button")).to_be_enabled()
    window.shoot("63-models-chosen")
    window.press("m_delete")
    expect(page.get_by_text(translate("ui.m_done_delete", language, name=R1))).to_be_visible()
    window.settled()
    expect(rows).to_have_count(2)


@pytest.mark.parametrize("language", by_day("en"))
def test_models_are_downloaded_imported_and_quantized_with_bytes_and_seconds(
    open_page: OpenPage, language: Language
) -> None:
    window = open_page(language, "make")
    page = window.page
    folder = window.set(gate="closed")
    window.shoot("64-models-make")
    window.fill("m_pull_name", "deepseek-r1:8b")
    window.press("m_pull")
    expect(page.get_by_text("2.10")).to_contain_text("4.20")
    page.reload()  # the job goes on whatever becomes of the page
    window.settled()
    expect(page.get_by_text("2.10")).to_contain_text("4.20")
    expect(page.locator(".st-key-m_quantize button")).to_be_disabled()
    page.screenshot(path=window.picture("65-models-downloading"))
    window.press("m_stop_making")
    expect(page.get_by_text(translate("ui.m_stopped", language))).to_be_visible()
    window.shoot("66-models-stopped")

    window.set(gate="open")
    window.fill("m_path", f"{folder}/weights.gguf")
    window.fill("m_import_name", STAND_IN)
    window.press("m_import")
    reason = {"en": "a model with this name is already installed", "zh": "已有同名模型"}[language]
    expect(page.get_by_text(reason)).to_be_visible()
    window.fill("m_import_name", "deepseek-r1:1b")
    window.press("m_import")
    expect(page.get_by_text(translate("ui.m_done_import", language, name="deepseek-r1:1b", size="4.20 GB", kind="F16"))
           ).to_be_visible()  # fmt: skip
    assert window.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_calibration_is_begun_watched_stopped_looked_at_and_used(open_page: OpenPage, language: Language) -> None:
    window = open_page(language, "calibrate")
    page = window.page
    window.set(gate="closed")
    window.shoot("72-models-calibrate")
    window.press("m_calibrate")
    said = translate("ui.m_calibrating", language, number=1, count=2, slots=1, done=1, total=2)
    expect(page.get_by_text(said)).to_be_visible()
    window.settled()
    page.screenshot(path=window.picture("73-models-calibrating"))
    window.press("m_stop_calibrating")
    expect(page.get_by_text(translate("ui.m_calibrate_stopped", language))).to_be_visible()
    window.set(gate="open")
    window.press("m_calibrate")
    expect(page.locator(".st-key-m_figures tbody tr")).to_have_count(2)
    expect(page.locator(".st-key-m_trials tbody tr")).to_have_count(1)
    expect(page.locator(".st-key-m_trials")).to_contain_text(
        translate("eval_calibration.verdict_not_quicker", language)
    )
    expect(page.locator(".st-key-m_plots svg").first).to_have_attribute("role", "img")
    window.shoot("74-models-calibrated")
    window.press("m_choose_winner")
    expect(page.get_by_text(translate("ui.m_done_choose", language))).to_be_visible()
    assert window.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("en"))
def test_a_profile_is_chosen_for_the_next_start(open_page: OpenPage, language: Language) -> None:
    window = open_page(language, "profile")
    page = window.page
    expect(page.locator(".st-key-m_profiles tbody tr")).to_have_count(2)
    expect(page.locator(".st-key-m_profile_save button")).to_be_disabled()
    page.locator(".st-key-m_profile_chosen").get_by_text(translate("ui.m_profile_code", language)).click()
    window.press("m_profile_save")
    expect(page.get_by_text(translate("ui.m_profile_saved", language))).to_be_visible()
    window.shoot("67-models-profile")
    page.goto(f"{window.address}/people")
    expect(page.get_by_text(translate("ui.change_setting", language), exact=True)).to_be_visible()


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_model_server_that_is_down_and_a_role_that_may_not_are_said(open_page: OpenPage, language: Language) -> None:
    window = open_page(language)
    window.set(down=True)
    expect(window.page.get_by_text(translate("ui.error_OllamaUnavailable", language))).to_be_visible()
    window.shoot("68-models-down")
    window.set(role="lead")
    window.view("make")
    expect(window.page.get_by_text(translate("ui.not_permitted", language))).to_be_visible()
    expect(window.page.locator(".st-key-m_top")).to_have_count(0)
    window.shoot("69-models-not-permitted")


def test_in_the_dark_and_at_twice_the_size_nothing_is_cut(open_page: OpenPage) -> None:
    window = open_page("zh", dark=True)
    expect(window.page.locator(".st-key-m_models tr.can")).to_have_count(3)
    window.shoot("70-models-dark")
    small = open_page("zh", "installed", width=640, height=360, scale=2)
    expect(small.page.locator(".st-key-m_models tr.can")).to_have_count(3)
    small.settled()
    small.check()
    small.page.screenshot(path=small.picture("71-models-zoomed"), full_page=True)
    assert small.clipped_labels() == []


@pytest.mark.parametrize("language", by_day("en"))
def test_what_a_tuning_was_worth_is_shown(open_page: OpenPage, language: Language) -> None:
    window = open_page(language, "profile")
    arm = Arm("base", "m", Share(10, 20), Share(4, 20), Share(8, 10), Share(3, 30), Share(19, 20), 40.0)
    found = Findings(
        model=STAND_IN, tuned=STAND_IN, stand_in=True, run="tuned", examples=30, questions=30,
        loss_before=2.0, loss_after=1.0, arms=(arm, replace(arm, name="merged")), difference=0.0, interval=(-0.1, 0.1),
        reasons=("right",), others={},
    )  # fmt: skip
    run = Run(Path(window.set()) / "data" / "runs" / "tuned")
    run.begin({"command": COMMAND}, ())
    run.save_figures(as_json(found))
    window.page.goto(f"{window.address}/models?view=calibrate")
    expect(window.page.locator(".st-key-m_tuning_table_0 tbody tr")).to_have_count(2)
    why = translate("eval_train.because_right", language)
    said = translate("eval_train.removed", language, name=STAND_IN, why=why)
    expect(window.page.get_by_text(said)).to_be_visible()
    window.shoot("75-models-tuned")
    assert window.clipped_labels() == []
