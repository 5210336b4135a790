"""Opens set-up logs without following links, since a cache folder may be shared."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

from rag.errors import LinkInCache

_OWN_ALONE = 0o600


def open_log(path: Path, *, anew: bool = False) -> BinaryIO:
    """Open a log to be added to, or begun ``anew``; its folder is made.  Raises ``LinkInCache``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how = os.O_TRUNC if anew else os.O_APPEND
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, _OWN_ALONE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LinkInCache(path=path) from error
        raise
    return os.fdopen(descriptor, "wb" if anew else "ab")
