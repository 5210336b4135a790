"""``python -m tests.api.mcp.stdio_server FOLDER``: MCP over stdio and the offline knowledge bases.

``ANSWERDESK_SIGN_IN`` is as in the product.  A file ``held`` in the folder holds the model, which keeps a file
``answering`` there meanwhile.
"""

import os
import sys
import time
from collections.abc import Generator as GeneratorObject
from collections.abc import Sequence
from pathlib import Path

from api.mcp.server import speak
from rag.errors import AnswerdeskError
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.settings import Settings
from rag.terminal import fail
from tests.api.offline_server import HeldModel, _services


class WatchedModel(HeldModel):
    """Says in the folder that it answers, and waits there to be let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        answering = self._folder / "answering"
        answering.touch()
        sys.stdout.write("what a library prints\n")
        sys.stdout.flush()
        try:
            yield GeneratedText("")
            while (self._folder / "held").exists():
                time.sleep(0.02)
                yield GeneratedText("")
            yield from super().generate(messages, think=think, max_tokens=max_tokens, candidates=candidates)
        finally:
            answering.unlink()


def main(folder: Path) -> int:
    settings = Settings(data_dir=folder, cache_dir=folder / "cache", ollama_host="127.0.0.1:9")
    try:
        speak(lambda: _services(settings, WatchedModel(folder)), settings)
    except AnswerdeskError as error:
        return fail(error)
    return 0


if __name__ == "__main__":
    os._exit(main(Path(sys.argv[1])))
