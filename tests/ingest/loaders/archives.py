"""Writes small ZIP packages."""

import io
import zipfile
from collections.abc import Mapping


def zip_bytes(files: Mapping[str, bytes | str], *, stored: bool = False) -> bytes:
    """Return an archive of the files, in their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
