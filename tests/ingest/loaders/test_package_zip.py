"""Archives: what is in them is read, and nothing that they try succeeds."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from ingest.loaders.source import Limits
from tests.ingest.loaders.archives import zip_bytes
from tests.ingest.loaders.loading import LIMITS, load_all, reason, texts, told


def test_files_are_read_as_if_they_lay_in_a_folder(tmp_path: Path) -> None:
    content = zip_bytes(
        {
            "manual/退货.md": "# 退货\n\n七天内",
            "faq.jsonl": '{"id": "q1", "text": "Yes."}\n',
            "__MACOSX/manual/._x.md": "x",
            ".git/config.txt": "x",
            "empty.txt": "",
            "tool.exe": "x",
            "broken.pdf": "no pdf",
        }
    )
    found = load_all(tmp_path, "a.zip", content)
    assert texts(found) == {"a.zip!/manual/退货.md": "# 退货\n\n七天内", "q1": "Yes."}
    assert told(found) == [("empty", "empty.txt"), ("unsupported", "tool.exe"), ("malformed", "broken.pdf")]


def test_chinese_names_of_old_programs(tmp_path: Path) -> None:
    content = zip_bytes({"ABCD.txt": "x"}).replace(b"ABCD", "退货".encode("gbk"))
    assert list(texts(load_all(tmp_path, "a.zip", content))) == ["a.zip!/退货.txt"]


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("../../etc/passwd.txt", "/etc/passwd.txt", "C:/x.txt", "a/../../b.txt", "..\\x.txt"):
            archive.writestr(name, "x")
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.txt", "good")
    found = load_all(tmp_path, "a.zip", buffer.getvalue())
    assert texts(found) == {"a.zip!/good.txt": "good"}
    assert [why for why, _ in told(found)] == ["unsafe_name"] * 6
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.slow
def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    zeros = zip_bytes({f"{number}.txt": bytes(900_000) for number in range(20)})
    assert len(zeros) < 30_000
    assert told(load_all(tmp_path, "a.zip", zeros, Limits(unpacked_bytes=2_000_000)))[-1] == ("bomb", "")
    large = zip_bytes({"large.txt": bytes(2_000_000), "good.txt": "good"})
    found = load_all(tmp_path, "b.zip", large, LIMITS)
    assert texts(found) == {"b.zip!/good.txt": "good"}
    assert told(found) == [("too_large", "large.txt, 2 MB")]


def test_a_bomb_that_understates_its_size_yields_no_more_than_it_states(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"a.txt": b"a" * 500_000}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 100)
    assert reason(tmp_path, "a.zip", bytes(content)) == "malformed"


def test_archives_within_archives_end_at_a_depth(tmp_path: Path) -> None:
    content = zip_bytes({"deep.txt": "deep"})
    for _ in range(6):
        content = zip_bytes({"inner.zip": content, "beside.txt": "beside"})
    found = load_all(tmp_path, "a.zip", content, Limits(depth=3))
    assert len(texts(found)) == 3
    assert told(found) == [
        ("too_deep", f"inner.zip!/inner.zip!/inner.zip!/{name}") for name in ("inner.zip", "beside.txt")
    ]


def test_many_files_and_many_bytes_are_counted_over_all_levels(tmp_path: Path) -> None:
    inner = zip_bytes({f"{number}.txt": "x" * 1000 for number in range(4)})
    outer = zip_bytes({f"{number}.zip": inner for number in range(4)})
    found = load_all(tmp_path, "a.zip", outer, Limits(parts=8))
    assert (len(texts(found)), {why for why, _ in told(found)}) == (6, {"too_many"})
    found = load_all(tmp_path, "b.zip", outer, Limits(unpacked_bytes=7000))
    assert (len(texts(found)), {why for why, _ in told(found)}) == (6, {"bomb"})
    assert reason(tmp_path, "c.zip", inner, Limits(parts=3)) == "too_many"


def test_locked_members(tmp_path: Path) -> None:
    found = load_all(tmp_path, "a.zip", LOCKED)
    assert told(found) == [("encrypted", "a.txt")]
    found = load_all(tmp_path, "a.zip", LOCKED, Limits(passwords=("wrong", "sesame")))
    assert texts(found) == {"a.zip!/a.txt": "open"}


def test_an_archive_of_nothing(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.zip", zip_bytes({})) == "empty"
    assert reason(tmp_path, "b.zip", zip_bytes({"folder/": "", ".hidden": "x"})) == "empty"


def test_a_torn_archive(tmp_path: Path) -> None:
    assert reason(tmp_path, "a.zip", zip_bytes({"a.txt": "x" * 5000})[:60]) == "malformed"
    assert reason(tmp_path, "b.zip", b"PK\x03\x04") == "malformed"


def _locked(name: str, content: bytes, password: bytes) -> bytes:
    """Write one member with PKWARE's old cipher, APPNOTE 6.1, which ``zipfile`` can only read."""
    table = [_crc_of(byte) for byte in range(256)]
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(byte: int) -> None:
        keys[0] = table[(keys[0] ^ byte) & 0xFF] ^ keys[0] >> 8
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = table[(keys[2] ^ keys[1] >> 24) & 0xFF] ^ keys[2] >> 8

    for byte in password:
        step(byte)
    checksum = zlib.crc32(content)
    hidden = bytearray()
    for byte in bytes(11) + bytes([checksum >> 24]) + content:
        stream = keys[2] & 0xFFFF | 2
        hidden.append(byte ^ (stream * (stream ^ 1)) >> 8 & 0xFF)
        step(byte)
    plain = zip_bytes({name: b"?" * len(hidden)}, stored=True).replace(b"?" * len(hidden), bytes(hidden))
    locked = bytearray(plain)
    for signature, flags, sizes in ((b"PK\x03\x04", 6, 14), (b"PK\x01\x02", 8, 16)):
        start = locked.index(signature)
        locked[start + flags] |= 1
        struct.pack_into("<III", locked, start + sizes, checksum, len(hidden), len(content))
    return bytes(locked)


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xEDB88320 if byte & 1 else 0)
    return byte


LOCKED = _locked("a.txt", b"open", b"sesame")
