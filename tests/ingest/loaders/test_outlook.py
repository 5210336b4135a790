"""Outlook's messages; whole files are walked in ``test_fixtures.py``."""

from ingest.loaders.outlook import decompressed
from ingest.loaders.text import rtf_text

# [MS-OXRTFCP] 4.1.1 and 4.1.2
SIMPLE = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
CROSSING_THE_END = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")


def test_rich_text_is_unpacked() -> None:
    assert decompressed(SIMPLE) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert decompressed(CROSSING_THE_END) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert rtf_text(decompressed(SIMPLE)) == "hello world"


def test_rich_text_that_is_not_packed() -> None:
    assert decompressed(b"\x00\x00\x00\x00\x05\x00\x00\x00MELA\x00\x00\x00\x00{\\rtf}") == b"{\\rtf"
