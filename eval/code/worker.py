"""``python -m eval.code.worker``: runs one program and calls its function, in a process that may be lost.

It stands in a folder with nothing but this module and two others (``sandbox.py``).  Requests and replies are lines of
JSON.  The first request is ``{"program", "entry_point", "definitions_only", "memory_bytes", "cpu_seconds"}``, each
other one ``{"arguments"}``.  Replies: ``{"ready"}`` with what this process cannot do any more, ``{"value"}``,
``{"no_value"}`` with the type of what was returned and is no plain data, or ``{"raised", "words"}``.

Nothing in here knows what value is right, and no reply says that a test passed: a program that takes this process over
can only give other values.
"""

import ast
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from eval.code.plain_values import NotPlain, decode, encode
from ingest.loaders.confinement import confine

_WORDS = 200
_PROCESSES = 64  # for machines whose kernel takes no filter; threads count as well
_ONLY_ACTS = (ast.Expr, ast.Assert, ast.For, ast.While, ast.With)


def serve(requests: IO[str], replies: IO[str]) -> None:
    """Run the program of the first request, then answer the others until their stream ends."""
    order = json.loads(requests.readline())
    held = confine(Path.cwd()).held
    for limit, value in (
        (resource.RLIMIT_AS, order["memory_bytes"]),
        (resource.RLIMIT_NPROC, _PROCESSES),
    ):
        resource.setrlimit(limit, (value, value))
    # At the soft limit the process ends by a signal, which a program may ignore; at the hard one it is killed.
    resource.setrlimit(resource.RLIMIT_CPU, (order["cpu_seconds"], order["cpu_seconds"] + 1))
    try:
        function = _defined(order["program"], order["entry_point"], definitions_only=order["definitions_only"])
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is its result
        _reply(replies, _raised(error))
        return
    _reply(replies, {"ready": held})
    for line in requests:
        _reply(replies, _call(function, line))


def _defined(program: str, entry_point: str, *, definitions_only: bool) -> Callable[..., object]:
    """Run the program and return its function.  Raises ``SyntaxError`` and whatever the program raises."""
    tree = ast.parse(program)
    if definitions_only:  # as EvalPlus's sanitizer does: a reply's own examples and tests are no part of its function
        tree.body = [one for one in tree.body if not isinstance(one, _ONLY_ACTS)]
    namespace: dict[str, Any] = {"__name__": "program", "__builtins__": __builtins__}
    exec(compile(tree, "<program>", "exec", dont_inherit=True), namespace)
    function: Callable[..., object] = namespace[entry_point]
    return function


def _call(function: Callable[..., object], line: str) -> dict[str, object]:
    arguments = [decode(one) for one in json.loads(line)["arguments"]]
    try:
        return {"value": encode(function(*arguments))}
    except NotPlain as error:
        return {"no_value": str(error)}
    except BaseException as error:  # noqa: BLE001 - as above
        return _raised(error)


def _raised(error: BaseException) -> dict[str, object]:
    try:
        words = str(error)[:_WORDS]
    except BaseException:  # noqa: BLE001 - words that a program's own class makes
        words = ""
    return {"raised": type(error).__name__, "words": words}


def _reply(replies: IO[str], reply: dict[str, object]) -> None:
    try:
        line = json.dumps(reply)
    except (ValueError, RecursionError) as error:  # an int with more digits than Python writes
        line = json.dumps(_raised(error))
    replies.write(line + "\n")
    replies.flush()


def main() -> None:
    """Serve standard input; what the program prints goes to standard error, and what it reads is empty."""
    with os.fdopen(os.dup(0), encoding="utf-8") as requests, os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        serve(requests, replies)


if __name__ == "__main__":
    main()
