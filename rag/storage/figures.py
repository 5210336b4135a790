"""The pictures of a knowledge base's documents, and their descriptions by a model.

Pictures are files below ``figures/``, each named by the SHA-256 of what it holds.  They are written before the rows
that name them, and deleted after those are gone: whatever is killed in between leaves files too many, which the next
writer deletes.  Generations share them.  A name gives no right to the picture: who may see a picture is asked of the
documents in which it stands (``KnowledgeStore.figure_audiences``).
"""

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from rag.files import write_whole
from rag.schema import Language
from rag.storage.connection import Database, storage_errors

FIGURE_MEDIA_TYPE = "image/webp"
LARGEST_FIGURE_BYTES = 500_000

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RIFF, _WEBP = slice(0, 4), slice(8, 12)


class FigureFolder:
    """The pictures of the knowledge base in ``folder``; making one touches no file."""

    def __init__(self, folder: Path) -> None:
        self._knowledge = folder
        self._folder = folder / "figures"

    def exists(self) -> bool:
        """Tell whether any picture was ever stored."""
        return self._folder.is_dir()

    def keep(self, content: bytes) -> str:
        """Write a picture unless it is there, and return its name.

        Raises ``ValueError`` where it is no WebP of at most ``LARGEST_FIGURE_BYTES``, and ``StorageFull``.
        """
        if content[_RIFF] != b"RIFF" or content[_WEBP] != b"WEBP" or len(content) > LARGEST_FIGURE_BYTES:
            raise ValueError("no picture of the kind that is kept")
        digest = sha256(content).hexdigest()
        path = self._path(digest)
        if not path.exists():
            with storage_errors(self._knowledge):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content, durable=True)
        return digest

    def read(self, digest: str) -> bytes | None:
        """Return a picture; None if it is missing, or its content does not match its name."""
        if _DIGEST.fullmatch(digest) is None:
            return None
        try:
            content = self._path(digest).read_bytes()
        except OSError:
            return None
        return content if sha256(content).hexdigest() == digest else None

    def delete_others(self, digests: Iterable[str]) -> None:
        """Delete all other pictures."""
        kept = {self._path(digest) for digest in digests}
        with storage_errors(self._knowledge):
            for shelf in sorted(self._folder.iterdir()):
                for path in sorted(shelf.iterdir()):
                    if path not in kept:
                        path.unlink()
                if not any(shelf.iterdir()):
                    shutil.rmtree(shelf)

    def _path(self, digest: str) -> Path:
        """Return ``figures/3f/3f0c....webp``: a folder of a hundred thousand names is slow to look through."""
        return self._folder / digest[:2] / f"{digest}.webp"


class FigureDescriptionTable:
    """The table ``figure_description``: a vision model's description of a picture in a language, made once.

    A row is kept when it comes, whatever becomes of the ingest, and goes with the last document that shows the picture.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, digests: Sequence[str], model: str, language: Language) -> dict[str, str]:
        """Return the known descriptions of these pictures, by their digests."""
        rows = self._database.rows(
            "SELECT digest, text FROM figure_description WHERE model = ? AND language = ? "
            "AND digest IN (SELECT value FROM json_each(?))",
            (model, language, json.dumps(list(digests))),
        )
        return {row["digest"]: row["text"] for row in rows}

    def keep(self, digest: str, model: str, language: Language, text: str) -> None:
        """Store a description, in a transaction of its own.  Raises ``StorageFull``."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO figure_description VALUES (?, ?, ?, ?)", (digest, model, language, text)
            )
