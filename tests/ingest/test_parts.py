"""Files that hold files, from the folder to the published knowledge base."""

from email.message import EmailMessage

import pytest

from tests.ingest.conftest import Desk
from tests.ingest.loaders.archives import zip_bytes

pytestmark = pytest.mark.slow

FILES = {"returns.md": "# Returns\n\nWithin 7 days.", "fees/lock.txt": "The lock costs 79."}


def pack(desk: Desk, name: str, files: dict[str, str]) -> None:
    path = desk.manual / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zip_bytes(files))


def write_mail(desk: Desk, body: str, attachment: str) -> None:
    message = EmailMessage()
    message["Subject"] = "Prices"
    message.set_content(body)
    message.add_attachment(attachment.encode(), maintype="text", subtype="plain", filename="prices.txt")
    (desk.manual / "mail.eml").write_bytes(message.as_bytes())


def test_parts_keep_their_ids_and_only_new_ones_are_embedded(desk: Desk) -> None:
    pack(desk, "all.zip", FILES)
    write_mail(desk, "See the attachment.", "Lock 79")
    assert desk.ingest().added == 4 + 2 + 2
    assert desk.documents()["all.zip!/fees/lock.txt"] == "The lock costs 79."
    assert desk.documents()["mail.eml!/prices.txt"] == "Lock 79"
    assert (desk.ingest().unchanged, desk.embedder.embedded) == (8, [])
    write_mail(desk, "See the attachment.", "Lock 89")
    summary = desk.ingest()
    assert (summary.added, summary.changed, summary.unchanged) == (0, 1, 7)
    assert len(desk.embedder.embedded) == 1


def test_the_same_file_through_another_folder_is_the_same(desk: Desk) -> None:
    pack(desk, "box/all.zip", FILES)
    write_mail(desk, "See the attachment.", "Lock 79")
    desk.ingest()
    summary = desk.ingest(desk.manual / "box", desk.manual / "mail.eml")
    assert (summary.added, summary.changed, summary.unchanged) == (0, 0, 4)


def test_a_part_that_is_gone_is_retired_but_not_while_its_file_cannot_be_read(desk: Desk) -> None:
    pack(desk, "all.zip", FILES)
    desk.ingest()
    (desk.manual / "all.zip").write_bytes(b"PK\x03\x04 torn")
    summary = desk.ingest(prune=True)
    assert (summary.retired, len(summary.failures), summary.documents) == (0, 1, 6)
    pack(desk, "all.zip", {"returns.md": FILES["returns.md"]})
    summary = desk.ingest(prune=True)
    assert (summary.retired, summary.documents) == (1, 5)


def test_questions_are_known_again_wherever_they_stand(desk: Desk) -> None:
    desk.write("faq.json", '[{"question": "Can I?", "answer": "Yes."}, {"question": "May I?", "answer": "No."}]')
    desk.ingest()
    desk.write("faq.json", '[{"question": "New?", "answer": "Yes, new."}, {"question": "Can I?", "answer": "Yes."}]')
    summary = desk.ingest(prune=True)
    assert (summary.added, summary.changed, summary.retired) == (1, 0, 1)
    assert desk.documents()["faq.json!/Can I?"] == "Yes."
