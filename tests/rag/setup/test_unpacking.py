"""What an archive may write, and the ways out of the folder that are known."""

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from rag.setup.ollama import unpack

Member = tuple[str, bytes | str, str]
"""Name, content or what is linked to, and kind: file, program, folder, symbolic, hard, or a letter of tarfile's."""

_KINDS = {"folder": tarfile.DIRTYPE, "symbolic": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE}
SECRET = b"untouched"


def unpacked(folder: Path, *members: Member) -> Path:
    """Unpack an archive of these members, read as a stream, beside a file that none of them may reach."""
    (folder / "outside").mkdir()
    (folder / "outside" / "secret").write_bytes(SECRET)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content, kind in members:
            entry = tarfile.TarInfo(name)
            entry.type = _KINDS.get(kind, tarfile.REGTYPE)
            entry.mode = 0o4777 if kind == "program" else 0o644
            if isinstance(content, str):
                entry.linkname = content
            else:
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    buffer.seek(0)
    target = folder / "target"
    target.mkdir()
    with tarfile.open(fileobj=buffer, mode="r|") as tar:
        unpack(tar, target, lambda name: "cuda" not in name)
    return target


def test_files_folders_and_links_as_ollama_has_them(tmp_path: Path) -> None:
    target = unpacked(
        tmp_path,
        ("./", b"", "folder"),
        ("./bin/ollama", b"program", "program"),
        ("./lib/ollama/libggml.so", "libggml.so.0", "symbolic"),
        ("./lib/ollama/libggml.so.0", b"library", "file"),
        ("./lib/ollama/other/libggml.so", "../libggml.so", "symbolic"),
        ("./lib/ollama/copy.so", "./lib/ollama/libggml.so.0", "hard"),
        ("./lib/ollama/cuda_v13/libcuda.so", b"gigabytes", "file"),
    )
    assert (target / "bin/ollama").read_bytes() == b"program"
    assert os.access(target / "bin/ollama", os.X_OK) and not (target / "bin/ollama").stat().st_mode & stat.S_ISUID
    assert (target / "lib/ollama/libggml.so").readlink() == Path("libggml.so.0")
    assert (target / "lib/ollama/other/libggml.so").read_bytes() == b"library"
    assert (target / "lib/ollama/copy.so").read_bytes() == b"library"
    assert not (target / "lib/ollama/cuda_v13").exists()


@pytest.mark.parametrize(
    "members",
    [
        [("../outside/secret", b"x", "file")],
        [("/etc/answerdesk-test", b"x", "file")],
        [("a/../../outside/secret", b"x", "file")],
        [("way", "../outside", "symbolic"), ("way/secret", b"x", "file")],
        [("way", "/etc", "symbolic")],
        # CVE-2025-4330 and CVE-2025-4517: a link through another one that lies deeper than it seems
        [("d/e/f/up", "../../..", "symbolic"), ("way", "d/e/f/up/../outside", "symbolic")],
        [("d/e/f/up", "../..", "symbolic"), ("d/e/f/up/way", "../outside", "symbolic")],
        [("way", "../outside/secret", "hard")],
        [("way", "missing", "hard")],
        [("a", b"1", "file"), ("a", b"2", "file")],
        [("a", b"1", "file"), ("a/b", b"2", "file")],
        [("a", b"1", "file"), ("a", "b", "symbolic")],
        [("a/b", b"1", "file"), ("a", "b", "symbolic")],
        [("a", "b", "symbolic"), ("a", "c", "symbolic")],
        [("pipe", b"", "fifo")],
    ],
)
def test_every_other_member_ends_it(tmp_path: Path, members: list[Member]) -> None:
    with pytest.raises(tarfile.TarError):
        unpacked(tmp_path, *members)
    assert (tmp_path / "outside" / "secret").read_bytes() == SECRET
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]
    assert not Path("/etc/answerdesk-test").exists()
    root = (tmp_path / "target").resolve()
    assert all(path.resolve().is_relative_to(root) for path in root.rglob("*"))
