"""``python -m api.bench.stream_client URL STREAMS QUESTION``: read streams at once, and print the seconds they took."""

import json
import socket
import sys
import threading
import time

from rag.private_files import keep_files_private

_END = b"[DONE]"


def read(url: str, question: str) -> None:
    """Ask for one stream and read it to its end."""
    host, _, port = url.removeprefix("http://").partition(":")
    body = {"model": "answerdesk:fresh", "stream": True, "messages": [{"role": "user", "content": question}]}
    content = json.dumps(body).encode()
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {host}:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + content)
        while _END not in (received := connection.recv(65536)):
            if not received:
                raise SystemExit("the stream broke off")


def main() -> int:
    """Read, print, and return the exit code."""
    url, streams, question = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    threads = [threading.Thread(target=read, args=(url, question)) for _ in range(streams)]
    began_at = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.perf_counter() - began_at)
    return 0


if __name__ == "__main__":
    keep_files_private()
    sys.exit(main())
