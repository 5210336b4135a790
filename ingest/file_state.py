"""Is a file still what it was when it was read?  Told by what the file system keeps of it, without reading it again."""

import hashlib
import json
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from ingest.loaders.source import Limits, SourceFile
from rag.storage.store import StoredDocument
from rag.text import invisible, web_address

_SETTLED_NS = 2_000_000_000  # the coarsest clock of a file system (FAT) ticks every two seconds
_PARSERS = (
    "beautifulsoup4", "charset-normalizer", "lxml", "markdown-it-py", "olefile", "openpyxl", "pillow", "pypdfium2",
    "python-oxmsg", "pyyaml", "rapidocr", "striprtf", "xlrd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes with every write: the time of the change of the inode cannot be set by any program.

    ``is_settled`` tells that all was older than the clocks are coarse when it was looked at: a later write shows.  It
    takes no part in comparisons.
    """

    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int
    is_settled: bool = field(compare=False)

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Look at a file; None where it is gone or out of reach."""
        now = time.time_ns()
        try:
            found = path.stat()
        except OSError:
            return None
        is_settled = max(found.st_mtime_ns, found.st_ctime_ns) < now - _SETTLED_NS
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, is_settled)

    def fingerprint(self, source: SourceFile, reading: bytes, documents: Iterable[StoredDocument]) -> bytes:
        """Return 32 bytes that stay the same while reading the file again would give the same documents.

        ``reading`` is ``reading_recipe``'s; ``documents`` are all that the file holds, as the store has them.  Whatever
        takes a document out of the store or puts another one in its place, a rollback for one, shows as well.
        """
        seen = [self.inode, self.size_bytes, self.modified_ns, self.changed_ns]
        held = sorted([known.document_id, known.content_hash.hex(), known.recipe] for known in documents)
        words = json.dumps([seen, str(source.path), str(source.root), held], ensure_ascii=True)
        return hashlib.sha256(reading + words.encode()).digest()


def reading_recipe(limits: Limits) -> bytes:
    """Return 32 bytes that change with the loaders, the libraries that they use, and the limits."""
    return hashlib.sha256(_loaders() + json.dumps(asdict(limits), sort_keys=True).encode()).digest()


@cache
def _loaders() -> bytes:
    digest = hashlib.sha256(platform.python_version().encode())
    beside = [Path(str(module.__file__)) for module in (invisible, web_address)]
    for path in (*sorted((Path(__file__).parent / "loaders").glob("*.py")), *beside):
        digest.update(path.read_bytes())
    for name in _PARSERS:
        digest.update(f"{name} {_version(name)}\n".encode())
    return digest.digest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
