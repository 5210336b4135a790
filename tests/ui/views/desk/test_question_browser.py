"""A mail dropped into the question box of a real browser, with pictures in both languages."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from rag.schema import Language
from tests.conftest import free_port
from tests.ingest.test_customer_files import mail
from tests.support.by_day import by_day
from tests.ui.browser import Desk
from tests.ui.conftest import OpenDesk, served

pytestmark = pytest.mark.real

SUBJECT = {"en": "Re: Scratched lid", "zh": "回复：盖子有划痕"}
BODY = {
    "en": "Can I still return it?\n\n-- \nAnn\n\nOn 1 Aug 2026, Desk <help@shop.example> wrote:\n> Hello Ann",
    "zh": "还能退吗？\n\n谢谢！\n王小明\n\n在 2026年8月1日，客服 <help@shop.example> 写道：\n\n您好",
}
ASKED = {"en": "Scratched lid\n\nCan I still return it?", "zh": "盖子有划痕\n\n还能退吗？"}


def attach(desk: Desk, file: dict[str, Any]) -> None:
    """Choose a file, once the box is ready for one."""
    expect(desk.box).to_be_focused()
    desk.page.locator(".st-key-question input[type=file]").set_input_files([file])  # type: ignore[list-item]


@pytest.mark.parametrize("language", by_day("en"))
def test_a_mail_becomes_the_question(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    desk.prepare(question=ASKED[language])
    file = {"name": "mail.eml", "mimeType": "message/rfc822", "buffer": mail(SUBJECT[language], BODY[language])}
    attach(desk, file)
    expect(desk.page.locator("[data-testid=stFileChip]")).to_be_visible()
    desk.page.locator("[data-testid=stChatInputFileUploadButton]").hover()
    expect(desk.page.locator("[data-testid=stTooltipContent]")).to_be_visible()
    desk.shoot("21-file-attached")
    desk.box.press("Enter")
    desk.reaches("done")
    expect(desk.page.locator(".question")).to_have_text(ASKED[language], use_inner_text=True)
    assert not [text for _, text in desk.texts() if "private.example" in text or "shop.example" in text]
    desk.shoot("22-file-asked")


@pytest.mark.parametrize("language", by_day("zh"))
def test_a_broken_picture_is_said(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    file = {"name": "1.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nbroken"}
    attach(desk, file)
    desk.page.locator("[data-testid=stChatInputSubmitButton]").click()
    failed = desk.page.locator(".st-key-attachment_failed")
    expect(failed).to_contain_text("1.png")
    expect(failed).to_contain_text("could not be read" if language == "en" else "无法读取")
    desk.shoot("23-file-refused")


@pytest.mark.parametrize("language", by_day("en"))
def test_a_kind_of_file_that_is_not_read_is_refused_in_the_browser(open_desk: OpenDesk, language: Language) -> None:
    desk = open_desk(language)
    file = {"name": "a.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ"}
    attach(desk, file)
    said = "不支持该类型的文件。" if language == "zh" else "application/x-msdownload files are not allowed."
    expect(desk.page.locator("[data-testid=stFileChip]")).to_contain_text(said)
    assert desk.words_of_the_other_language() == []


def test_the_first_question_after_a_restart_is_asked(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, port) as address:
        desk = Desk.open(browser, address, "en")
        expect(desk.box).to_be_visible()  # the page has all its scripts by then
    with served(tmp_path, port):
        desk.settled()
        desk.prepare(question="Asked of a new process?")
        desk.ask("Asked of a new process?", "done")
    desk.page.context.close()
