"""``python -m eval.code.worker``: runs one program and calls its function, in a process that may be lost.

It stands in a folder with nothing but this module and ``ingest/loaders/confinement.py``.  Requests and replies are
lines of JSON.  The first request is ``{"program", "entry_point", "definitions_only", "memory_bytes",
"cpu_seconds"}``, each other one ``{"arguments"}``.  Replies: ``{"ready"}`` with what this process cannot do any more,
``{"value"}``, ``{"no_value"}`` with the type of what was returned and is no plain data, or ``{"raised", "words"}``.

Nothing in here knows what value is right, and no reply says that a test passed: a program that takes this process over
can only give other values.  They leave as plain data, so that no object of a program gets out: it could say that it
equals everything.  A value of a subclass of a plain type is passed on as that type's.
"""

import ast
import json
import os
import resource
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from ingest.loaders.confinement import confine

Json = None | bool | int | float | str | list["Json"]

_DEPTH = 100
_SEQUENCES: dict[str, type[list[object] | tuple[object, ...] | set[object] | frozenset[object]]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}

_SIMPLE: tuple[tuple[type, Callable[[Any], Json]], ...] = (
    (type(None), lambda value: None),
    (bool, lambda value: value),
    (int, int),
    (float, float),
    (str, str.__str__),
    (complex, lambda value: ["complex", value.real, value.imag]),
    (Fraction, lambda value: ["fraction", value.numerator, value.denominator]),
    (bytes, lambda value: ["bytes", value.hex()]),
)

_WORDS = 200
_PROCESSES = 64  # for machines whose kernel takes no filter; threads count as well
_ONLY_ACTS = (ast.Expr, ast.Assert, ast.For, ast.While, ast.With)


class NotPlain(ValueError):
    """A value, or a part of it, is no plain data, or is nested too deeply."""


def encode(value: object, depth: int = _DEPTH) -> Json:
    """Return a value as JSON: containers are lists that begin with their type's name.

    >>> encode((1, {"a": None}))
    ['tuple', 1, ['dict', 'a', None]]

    Raises ``NotPlain``.
    """
    for kind, write in _SIMPLE:
        if isinstance(value, kind):
            return write(value)
    if depth == 0:
        raise NotPlain(type(value).__name__)
    if isinstance(value, dict):
        return ["dict", *(encode(one, depth - 1) for pair in value.items() for one in pair)]
    for name, sequence in _SEQUENCES.items():
        if isinstance(value, sequence):
            return [name, *(encode(one, depth - 1) for one in value)]
    raise NotPlain(type(value).__name__)


def decode(value: object) -> object:
    """Return the value that ``encode`` was given.  Raises ``NotPlain`` for anything that ``encode`` does not write.

    >>> decode(["tuple", 1, ["dict", "a", None]])
    (1, {'a': None})
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        raise NotPlain(type(value).__name__)
    name, parts = value[0], value[1:]
    try:
        if name in _SEQUENCES:
            return _SEQUENCES[name](decode(one) for one in parts)
        if name == "dict":
            decoded = [decode(one) for one in parts]
            return dict(zip(decoded[::2], decoded[1::2], strict=True))
        if name == "complex":
            return complex(*parts)
        if name == "fraction":
            return Fraction(*parts)
        if name == "bytes":
            return bytes.fromhex(*parts)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, RecursionError) as error:
        raise NotPlain(name) from error
    raise NotPlain(name)


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
        function = _define_function(order["program"], order["entry_point"], definitions_only=order["definitions_only"])
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is its result
        _reply(replies, _error_reply(error))
        return
    _reply(replies, {"ready": held})
    for line in requests:
        _reply(replies, _call(function, line))


def _define_function(program: str, entry_point: str, *, definitions_only: bool) -> Callable[..., object]:
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
        return _error_reply(error)


def _error_reply(error: BaseException) -> dict[str, object]:
    try:
        words = str(error)[:_WORDS]
    except BaseException:  # noqa: BLE001 - words that a program's own class makes
        words = ""
    return {"raised": type(error).__name__, "words": words}


def _reply(replies: IO[str], reply: dict[str, object]) -> None:
    try:
        line = json.dumps(reply)
    except (ValueError, RecursionError) as error:  # an int with more digits than Python writes
        line = json.dumps(_error_reply(error))
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
