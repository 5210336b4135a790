"""Downloads files, resumes interrupted downloads and verifies checksums.

The file grows beside its target as ``NAME.part`` and takes its name only when its sha256 is right.  A server that is
silent is given up after seconds, also where resolving its name hangs, which no socket timeout covers.
"""

import errno
import hashlib
import http.client
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from rag.errors import ChecksumMismatch, DownloadFailed
from rag.setup.console import Update

_PIECE_BYTES = 1 << 18
_TRIES_WITHOUT_PROGRESS = 4
_PAUSE_SECONDS = 1.0
_AGENT = "answerdesk"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: for the first word of a server, and for the next bytes of a running download (seconds)."""

    first_word_seconds: float = 5.0
    silence_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """A file on a server.  ``what`` names it to people; without ``sha256`` it is taken as it comes."""

    url: str
    what: str
    sha256: str = ""


def show_nothing(done: int, total: int) -> None:
    """Show no progress."""


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, sha256: str, what: str) -> None:
    """Raise ``ChecksumMismatch``, and delete the file, unless it has this sha256."""
    found = sha256_of(path)
    if found != sha256:
        path.unlink()
        raise ChecksumMismatch(what=what, found=found, expected=sha256)


def fetch(source: Source, target: Path, *, update: Update = show_nothing, patience: Patience | None = None) -> None:
    """Download to ``target``, resuming an earlier try.

    Raises ``DownloadFailed``, or ``ChecksumMismatch`` when the server has another file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    tries_left = _TRIES_WITHOUT_PROGRESS
    while not _try(source, partial, update, patience or Patience(), first=tries_left == _TRIES_WITHOUT_PROGRESS):
        tries_left -= 1
        if tries_left == 0:
            raise DownloadFailed(what=source.what, reason="broken", remedy="again")
    if source.sha256:
        verify(partial, source.sha256, source.what)
    partial.replace(target)


def _try(source: Source, partial: Path, update: Update, patience: Patience, *, first: bool) -> bool:
    """Continue until the file is whole (True) or a connection breaks without progress (False)."""
    while True:
        had = _size(partial)
        try:
            if _append(source, partial, update, patience):
                return True
        except DownloadFailed as error:
            if first or error.details["reason"] != "silent":
                raise
            time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DownloadFailed(what=source.what, reason="disk_full", remedy="room") from error
        except http.client.HTTPException:
            pass  # broken in mid-air: what came is kept, the loop looks at how much
        if _size(partial) <= had:
            return False
        first = False


def _append(source: Source, partial: Path, update: Update, patience: Patience) -> bool:
    """Fetch the rest.  True if the file is whole; False if the connection ended before."""
    had = _size(partial)
    try:
        response = _open(source, had, patience)
    except HTTPError as error:  # only "range not satisfiable" comes through
        with error:
            return _is_whole(error.headers.get("Content-Range", ""), partial)
    with closing(response):
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            had = 0  # the server begins again
        length = response.headers.get("Content-Length")
        total = had + int(length) if length else 0
        with partial.open("ab" if had else "wb") as file:
            while piece := response.read1(_PIECE_BYTES):
                file.write(piece)
                update(file.tell(), total)
            done = file.tell()
    return not total or done == total


def _size(partial: Path) -> int:
    return partial.stat().st_size if partial.exists() else 0


def _is_whole(content_range: str, partial: Path) -> bool:
    """Decide after "range not satisfiable", whose header tells the size: ``bytes */1234``."""
    size = content_range.rpartition("/")[2]
    if size.isdigit() and int(size) == partial.stat().st_size:
        return True
    partial.unlink()  # longer than the file, so of another one
    return False


def _open(source: Source, first_byte: int, patience: Patience) -> http.client.HTTPResponse:
    """Send the request from a thread that may be left behind.  Raises ``DownloadFailed`` or ``OSError``."""
    headers = {"User-Agent": _AGENT} | ({"Range": f"bytes={first_byte}-"} if first_byte else {})
    request = Request(source.url, headers=headers)
    results: list[http.client.HTTPResponse | OSError | http.client.HTTPException] = []
    abandoned = threading.Event()

    def send_request() -> None:
        try:
            response = urlopen(request, timeout=patience.silence_seconds)
        except (OSError, http.client.HTTPException) as error:
            results.append(error)
        else:
            results.append(response)
            if abandoned.is_set():
                response.close()

    thread = threading.Thread(target=send_request, daemon=True)
    thread.start()
    thread.join(patience.first_word_seconds)
    if not results:
        abandoned.set()
        raise DownloadFailed(what=source.what, reason="silent", remedy="again")
    return _checked_response(results[0], source)


def _checked_response(
    result: http.client.HTTPResponse | OSError | http.client.HTTPException, source: Source
) -> http.client.HTTPResponse:
    if isinstance(result, HTTPError):
        if result.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise result
        result.close()
        absent = result.code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
        raise DownloadFailed(what=source.what, reason="absent" if absent else "refused", remedy="again") from result
    if isinstance(result, OSError):
        # No such name, connection refused, no route: nobody is there.
        raise DownloadFailed(what=source.what, reason="silent", remedy="again") from result
    if isinstance(result, http.client.HTTPException):
        raise result
    return result
