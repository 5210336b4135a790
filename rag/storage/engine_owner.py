"""Whose a collection in a vector engine is: each knowledge base has a name of its own there, kept beside its database.

Several data folders may use one engine, and what a knowledge base needs no more must be told from what others need.
Desks that share a knowledge base share the name; a copy of a data folder has it, too (docs/scale.md).
"""

import re
import secrets
from pathlib import Path

from rag.errors import IndexDamaged
from rag.files import read_json, write_whole

ENGINE_NAME = "engine.json"
_OWNER = re.compile(r"[0-9a-f]{12}")


def engine_owner(folder: Path, *, make: bool = False) -> str:
    """Return the name of the knowledge base in ``folder``, twelve hexadecimal digits; empty where there is none yet.

    With ``make`` there is one afterwards, on the disk.  Raises ``IndexDamaged`` where the file is none, ``OSError``.
    """
    path = folder / ENGINE_NAME
    try:
        found = read_json(path)
    except FileNotFoundError:
        if not make:
            return ""
        owner = secrets.token_hex(6)
        write_whole(path, f'{{"owner": "{owner}"}}\n', durable=True)
        return owner
    except ValueError as error:
        raise IndexDamaged(reason=f"{path} is no JSON") from error
    owner = str(found.get("owner", "")) if isinstance(found, dict) else ""
    if not _OWNER.fullmatch(owner):
        raise IndexDamaged(reason=f"{path} names no owner")
    return owner
