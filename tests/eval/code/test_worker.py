"""What leaves the sandbox: plain data as it was, and no object."""

import json
import math
from collections import OrderedDict, namedtuple
from fractions import Fraction

import pytest

from eval.code.worker import NotPlain, decode, encode

VALUES = [
    None, True, 0, -(10**40), 1.5, math.inf, "naïve\n", b"\0\xff", 1 + 2j, Fraction(1, 3), [], (1, (2,)), {1, 2},
    frozenset({"a"}), {}, {1: [None], (2, 3): {"x": ()}}, ["list", "dict"],
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_comes_back_as_it_was(value: object) -> None:
    back = decode(json.loads(json.dumps(encode(value))))
    assert (back, type(back)) == (value, type(value))


def test_a_number_that_is_none_stays_none() -> None:
    assert math.isnan(decode(json.loads(json.dumps(encode(math.nan)))))


class Equal:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


class Number(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


def test_no_object_gets_out() -> None:
    for value in (Equal(), [Equal()], {"a": Equal()}, map(str, [1]), range(3), print):
        with pytest.raises(NotPlain):
            encode(value)
    assert decode(encode(Number(3))) != 4


def test_subclasses_are_what_they_derive_from() -> None:
    pair = namedtuple("pair", "a b")
    assert encode(pair(1, 2)) == ["tuple", 1, 2]
    assert encode(OrderedDict(a=1)) == ["dict", "a", 1]


def test_a_value_that_is_nested_too_deeply_is_none() -> None:
    value: list[object] = []
    for _ in range(101):
        value = [value]
    with pytest.raises(NotPlain):
        encode(value)


@pytest.mark.parametrize(
    "forged",
    [{}, [], [1], ["dict", 1], ["set", ["list"]], ["fraction", 1, 0], ["bytes", "zz"], ["eval", "1"]],
    ids=repr,
)
def test_what_was_not_encoded_is_refused(forged: object) -> None:
    with pytest.raises(NotPlain):
        decode(forged)
