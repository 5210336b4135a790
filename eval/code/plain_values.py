"""Values that leave the sandbox: plain data alone, as JSON, so that no object of a program gets out.

An object could say that it equals everything.  A value of a subclass of a plain type is passed on as that type's.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

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
