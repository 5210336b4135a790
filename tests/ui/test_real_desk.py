"""The whole product in a real browser: ``python -m ui``, the real model, the real embedder, the sample documents."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from rag.translate import translate
from tests.conftest import REAL_MODEL, free_port
from tests.support.sample import copy_sample
from tests.ui.browser import Desk
from tests.ui.conftest import wait_until_up
from tests.ui.desk_process import CHECKOUT

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
A_SLOW_MACHINES_ANSWER_MS = 300_000


@pytest.fixture(scope="module")
def real_address(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the desk over documents that are there; ``test_nothing_leaves.py`` starts it in an empty folder."""
    folder: Path = tmp_path_factory.mktemp("real-desk")
    copy_sample(run_folder, folder)
    port = free_port()
    log = folder / "desk.log"
    environment = {
        **os.environ,
        "ANSWERDESK_DATA_DIR": str(folder),
        "ANSWERDESK_MODEL": REAL_MODEL,
        "ANSWERDESK_MODEL_THREADS": "1",  # beside other tests
        "ANSWERDESK_PROMPT_EVIDENCE_TOKENS": "96",
        "ANSWERDESK_PROMPT_EVIDENCE_MOST_TOKENS": "96",
        "ANSWERDESK_THINKING_BUDGET_TOKENS": "32",
        "ANSWERDESK_ANSWER_BUDGET_TOKENS": "64",
        "OLLAMA_HOST": f"127.0.0.1:{free_port()}",
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ui", "--port", str(port), "--no-browser"],
            cwd=CHECKOUT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_up(address, process, log, seconds=600)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def test_two_browsers_are_answered_by_the_real_product(browser: Browser, real_address: str) -> None:
    english, chinese = Desk.open(browser, real_address, "en"), Desk.open(browser, real_address, "zh")
    expect(english.page.locator(".facts")).to_contain_text("Knowledge base no. 1")
    expect(english.page.locator(".shell .stand-in")).to_have_text(translate("ui.stand_in", "en"))
    expect(chinese.page.locator(".list.chips .row")).to_have_count(3)

    english.ask("How long do I have to return an item?")
    chinese.ask("信用卡退款多久到账？")
    for desk in (english, chinese):
        expect(desk.evidence).to_have_attribute("data-passages", re.compile("[1-9]"))
        # so small a model may also say that it found nothing, which is a whole answer, too
        ended = desk.page.locator(".view[data-turn-state=done], .view[data-turn-state=refused]")
        expect(ended).to_be_visible(timeout=A_SLOW_MACHINES_ANSWER_MS)
        assert desk.page.locator(".answer").inner_text().strip()
        times = desk.page.locator(".status").inner_text()
        assert (
            translate("ui.time_total", desk.language) in times and translate("ui.time_prompt", desk.language) in times
        )
        desk.shoot("20-real")
        if desk.page.locator(".cite").count():
            desk.page.locator(".cite").first.click()
            expect(desk.page.locator("mark.active").first).to_be_in_viewport()

    turn = english.turn_id()
    english.page.goto(f"{real_address}/?turn={turn}")
    expect(english.view).to_have_attribute("data-turn-state", re.compile("done|refused"))
    english.page.context.close()
    chinese.page.context.close()
