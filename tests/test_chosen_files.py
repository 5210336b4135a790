"""Files of tests that a run needs not import."""

from pathlib import Path

import pytest

from tests.conftest import LONG_FILES, free_port, is_left_out

ALL_REAL = "import pytest\n\npytestmark = [pytest.mark.real, pytest.mark.timeout(900)]\n"
SOME_REAL = "@pytest.mark.real\ndef test_a(): ...\n\ndef test_b(): ...\n"
ALL_SLOW = "pytestmark = pytest.mark.slow\n\n@pytest.mark.real\ndef test_a(): ...\n"
SOME_NIGHTLY = '@pytest.mark.parametrize("language", by_day("zh"))\ndef test_a(language): ...\n'
PLAIN = "def test_really(): ...\n"
FILES = (ALL_REAL, SOME_REAL, ALL_SLOW, SOME_NIGHTLY, PLAIN)


@pytest.mark.parametrize(
    ("chosen", "left_out"),
    [
        ("", []),
        ("real", [SOME_NIGHTLY, PLAIN]),
        ("not real", [ALL_REAL]),
        ("not real and not slow", [ALL_REAL, ALL_SLOW]),
        ("real and not nightly", [SOME_NIGHTLY, PLAIN]),
        ("nightly", [ALL_REAL, SOME_REAL, ALL_SLOW, PLAIN]),
        ("real and nightly", list(FILES)),
        ("real or slow", []),
        ("not (real or slow)", []),
    ],
)
def test_a_file_is_left_out_where_no_test_of_it_can_be_chosen(chosen: str, left_out: list[str]) -> None:
    assert [source for source in FILES if is_left_out(source, chosen)] == left_out


def test_the_long_files_are_there() -> None:
    here = Path(__file__).parent
    assert [name for name in LONG_FILES if not (here / name).is_file()] == []


def test_ports_are_below_those_of_outgoing_connections_and_none_is_given_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert 20_000 <= min(ports) <= max(ports) < 32_768
