"""The other desk of the benchmark, in a process of its own: says when each generation serves here.

``python -m eval.bench.sharing.desk``, with the settings in its environment: one line of JSON a generation.
"""

import json
import sys
import threading
import time

from rag.private_files import keep_files_private
from rag.settings import load_settings
from rag.storage.following import KnowledgeFollower
from rag.storage.store import KnowledgeStore

_LOOK_EVERY_SECONDS = 0.002


def main() -> None:
    """Follow until standard input ends; times are of the machine's clock that only rises."""
    settings = load_settings()
    follower = KnowledgeFollower.of(settings)
    if follower is None:
        sys.exit("no server is named")
    ended = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, name="end", daemon=True).start()
    follower.start(wait_seconds=600)
    store, served = KnowledgeStore(settings.knowledge_dir), -1
    while not ended.is_set():
        generation = store.current_generation()
        if generation != served:
            at, served = time.monotonic(), generation
            transfer = follower.transfer(settings.knowledge_base)
            line = {"generation": generation, "at": at, "fetched": transfer.sent_bytes, "kept": transfer.kept_bytes}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        time.sleep(_LOOK_EVERY_SECONDS)
    follower.close()


if __name__ == "__main__":
    keep_files_private()
    main()
