"""E-mail: the words, the attachments as documents of their own, and everything that mail programs do wrong."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.loaders.source import Limits
from rag.schema import Document
from tests.ingest.loaders.archives import zip_bytes
from tests.ingest.loaders.loading import load_all, load_one, reason, texts, told


def mail(body: str = "您好，附件是报价。\n\n> 请发报价。\n> 谢谢", subject: str = "回复：报价") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "小李 <li@example.com>", "desk@example.com"
    message["Date"] = "Tue, 04 Aug 2026 23:10:00 +0800"
    if body:
        message.set_content(body)
    return message


def test_a_message(tmp_path: Path) -> None:
    document = load_one(tmp_path, "a.eml", mail().as_bytes())
    assert (document.title, document.language, str(document.updated_on)) == ("回复：报价", "zh", "2026-08-04")
    assert document.text == "您好，附件是报价。\n\n> 请发报价。\n> 谢谢"
    assert document.metadata == {
        "sender": "小李 <li@example.com>", "recipients": "desk@example.com", "format": "email",
    }  # fmt: skip


def test_attachments_are_documents_of_their_own(tmp_path: Path) -> None:
    message = mail()
    message.add_alternative("<p>您好，<b>附件</b>是报价。</p>", subtype="html")
    message.add_attachment("门锁 79 元".encode("gb18030"), maintype="text", subtype="plain", filename="报价.txt")
    packed = zip_bytes({"faq/returns.md": "# Returns\n\n7 days", "logo.svg": "<svg/>"})
    message.add_attachment(packed, maintype="application", subtype="zip", filename="all.zip")
    inner = mail("The first question.", "First / question")
    message.add_attachment(inner)
    message.add_attachment(b"MZ\x00\x00", maintype="application", subtype="octet-stream", filename="setup.exe")
    found = load_all(tmp_path, "box/a.eml", message.as_bytes())
    assert texts(found) == {
        "box/a.eml": "您好，附件是报价。\n\n> 请发报价。\n> 谢谢",
        "box/a.eml!/报价.txt": "门锁 79 元",
        "box/a.eml!/all.zip!/faq/returns.md": "# Returns\n\n7 days",
        "box/a.eml!/First _ question.eml": "The first question.",
    }
    assert told(found) == [("unsupported", "all.zip!/logo.svg"), ("unsupported", "setup.exe")]
    assert {item.path for item in found if isinstance(item, Document)} == {str(tmp_path / "box/a.eml")}


def test_only_a_web_page_and_only_an_attachment(tmp_path: Path) -> None:
    page = mail("")
    page.set_content("<html><body><h1>Fees</h1><p>None<br>at all</p></body></html>", subtype="html")
    assert load_one(tmp_path, "a.eml", page.as_bytes()).text == "# Fees\n\nNone\nat all"
    carrier = mail("")
    carrier.add_attachment(b"words", maintype="text", subtype="plain", filename="a.txt")
    assert texts(load_all(tmp_path, "b.eml", carrier.as_bytes())) == {"b.eml!/a.txt": "words"}


def test_lines_that_flow_are_joined(tmp_path: Path) -> None:
    raw = b"Subject: a\nContent-Type: text/plain; format=flowed\n\nThis sentence \ngoes on.\n\n-- \nThe desk\n"
    assert load_one(tmp_path, "a.eml", raw).text == "This sentence goes on.\n\n-- \nThe desk"


def test_a_wrong_character_set_and_a_mail_saved_as_utf_16(tmp_path: Path) -> None:
    head = "Subject: a\nContent-Type: text/plain; charset={}\n\n".format
    assert load_one(tmp_path, "a.eml", head("iso-8859-1").encode() + "“quoted”".encode()).text == "“quoted”"
    assert load_one(tmp_path, "b.eml", head("gb2312").encode() + "朱镕基與退貨".encode("gbk")).text == "朱镕基與退貨"
    assert load_one(tmp_path, "c.eml", head("x-nonsense").encode() + "退货".encode()).text == "退货"
    assert load_one(tmp_path, "d.eml", (head("utf-8") + "退货").encode("utf-16")).text == "退货"


@pytest.mark.slow
def test_locked_broken_and_endless_mails(tmp_path: Path) -> None:
    locked = (
        b'Content-Type: multipart/encrypted; boundary=x; protocol="application/pgp-encrypted"\n\n--x\n\nabc\n--x--\n'
    )
    assert reason(tmp_path, "a.eml", locked) == "encrypted"
    assert reason(tmp_path, "b.eml", b"\n\n\n") == "empty"
    assert reason(tmp_path, "c.eml", mail(" ").as_bytes()) == "empty"
    message = mail("Level 0")
    for level in range(1, 8):
        outer = mail(f"Level {level}")
        outer.add_attachment(message)
        message = outer
    found = load_all(tmp_path, "d.eml", message.as_bytes(), Limits(depth=3))
    assert len(texts(found)) == 4
    assert [why for why, _ in told(found)] == ["too_deep"]
