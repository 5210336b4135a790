"""Files uploaded through the page: kept on this machine until a person publishes them.

    uploads = Uploads(settings.uploads_dir)
    uploads.keep("returns.md", content)          # replaces an earlier upload of this name
    uploads.waiting()                            # not published yet
    uploads.settle()                             # they are now; uploads.discard() takes them back

An upload keeps its name, so that the next one of the same name is a new state of the same document.
"""

import json
import re
import shutil
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rag.errors import UploadUnusable
from rag.files import write_whole
from rag.storage.connection import storage_errors
from rag.text.characters import without_invisible

_FORMER = ".former"
_WAITING = ".waiting.json"
_LONGEST_NAME_BYTES = 200
_UNWANTED = re.compile(r'[\x00-\x1f\x7f-\x9f/\\:*?"<>|\u2028\u2029\ud800-\udfff]')


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that waits: ``replaces`` tells whether there was one of this name before."""

    name: str
    size_bytes: int
    replaces: bool


class Uploads:
    """The uploads of one knowledge base, in ``folder``, which is made when it is needed.

    Not safe from several threads: the caller serializes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, name: str, content: bytes | memoryview) -> Path:
        """Store a file as waiting.  Raises ``UploadUnusable`` and ``StorageFull``."""
        path = self.folder / safe_name(name)
        waiting = self._waiting()
        with storage_errors(self.folder):
            (self.folder / _FORMER).mkdir(parents=True, exist_ok=True)
            if path.name not in waiting:
                waiting[path.name] = path.is_file()
                if path.is_file():
                    shutil.copy2(path, self.folder / _FORMER / path.name)
                self._write(waiting)
            write_whole(path, content, durable=True)
        return path

    def waiting(self) -> tuple[Upload, ...]:
        """Return the files that were kept and not published, by name."""
        return tuple(
            Upload(name, (self.folder / name).stat().st_size, replaces)
            for name, replaces in sorted(self._waiting().items())
            if (self.folder / name).is_file()
        )

    def paths(self) -> tuple[Path, ...]:
        """Return the waiting files' paths."""
        return tuple(self.folder / upload.name for upload in self.waiting())

    def settle(self, names: Iterable[str]) -> None:
        """Mark files as published."""
        waiting = self._waiting()
        with storage_errors(self.folder):
            for name in names:
                if waiting.pop(name, None) is not None:
                    (self.folder / _FORMER / name).unlink(missing_ok=True)
            self._write(waiting)

    def discard(self, names: Iterable[str]) -> None:
        """Remove files, and restore those they replaced."""
        waiting = self._waiting()
        with storage_errors(self.folder):
            for name in names:
                replaces = waiting.pop(name, None)
                former = self.folder / _FORMER / name
                if replaces and former.is_file():
                    former.replace(self.folder / name)
                elif replaces is not None:
                    (self.folder / name).unlink(missing_ok=True)
            self._write(waiting)

    def _waiting(self) -> dict[str, bool]:
        try:
            found = json.loads((self.folder / _WAITING).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # there is none yet, or it is no list: then nothing waits
            return {}
        return {name: bool(replaces) for name, replaces in found.items()} if isinstance(found, dict) else {}

    def _write(self, waiting: dict[str, bool]) -> None:
        if waiting or self.folder.is_dir():
            write_whole(self.folder / _WAITING, json.dumps(waiting, ensure_ascii=False), durable=True)


def safe_name(name: str) -> str:
    """Return a name that is safe in any folder.  Raises ``UploadUnusable`` where none is left.

    >>> safe_name("../../etc/passwd"), safe_name("退货 规则.md"), safe_name(".hidden.txt")
    ('passwd', '退货 规则.md', 'hidden.txt')
    """
    last = re.split(r"[/\\\\]", unicodedata.normalize("NFC", without_invisible(name)))[-1]
    cleaned = _UNWANTED.sub("_", last).strip().lstrip(".").strip()
    stem, dot, ending = cleaned.rpartition(".")
    if not dot:
        stem, ending = cleaned, ""
    room = _LONGEST_NAME_BYTES - len(f"{dot}{ending}".encode())
    short = stem.encode()[: max(room, 1)].decode("utf-8", "ignore")
    safe = f"{short}{dot}{ending}"
    if not safe.strip("._ ") or len(safe.encode()) > _LONGEST_NAME_BYTES:
        raise UploadUnusable(name=name[:_LONGEST_NAME_BYTES])
    return safe
