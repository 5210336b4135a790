"""Small files: written whole or not at all, and read again only where they have changed."""

import json
import os
import threading
from functools import lru_cache
from pathlib import Path

_NAME_CHARACTERS = 32  # of the file's name in that of the unfinished one: a name may have 255 bytes at the most


def write_whole(path: Path, content: str | bytes | memoryview, *, durable: bool = False) -> None:
    """Write a file, in UTF-8, atomically: readers see the old or the new one.

    ``durable`` brings it to the disk before it takes its name, so that a power cut leaves one of the two as well.
    Raises ``OSError``; no unfinished file stays then.
    """
    unfinished = path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_json(path: Path) -> object:
    """Return a JSON file's content, from memory while the file is the same.

    Raises ``FileNotFoundError``, another ``OSError``, or ``ValueError`` where it is no JSON.
    """
    state = path.stat()
    return _parse(path, state.st_ino, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _parse(path: Path, *state: int) -> object:
    del state  # another file under the same name has another one
    return json.loads(path.read_text(encoding="utf-8"))
