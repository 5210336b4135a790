"""The instruments themselves: what each of them sees, and that nothing is seen where nothing is tried."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.outgoing import Attempts, namespaces_are_given, watched_network

pytestmark = pytest.mark.real

HTTP = "import urllib.request; urllib.request.urlopen('http://elsewhere.test/page')"
TLS = "import httpx; httpx.get('https://elsewhere.test/')"
PAST_THE_PROXY = "import socket; socket.create_connection(('192.0.2.7', 443), timeout=1)"
LOOKED_UP = "import socket; socket.getaddrinfo('elsewhere.test', 443)"
LOCAL = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
    socket.getaddrinfo("localhost", 80)
"""


def tried(folder: Path, command: list[str], *, isolated: bool | None = None) -> Attempts:
    with watched_network(folder, isolated=isolated) as network:
        environment = network.environment({"RES_OPTIONS": "timeout:1 attempts:1"})
        subprocess.run(network.command(command), env=environment, capture_output=True, check=False, timeout=60)
        return network.attempts()


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_what_honours_the_proxy_is_known_by_name(tmp_path: Path) -> None:
    assert tried(tmp_path / "http", python(HTTP)).proxied == ("GET http://elsewhere.test/page",)
    assert tried(tmp_path / "tls", python(TLS)).proxied == ("CONNECT elsewhere.test:443",)


def test_what_goes_past_the_proxy_is_noted(tmp_path: Path) -> None:
    connected = tried(tmp_path / "connected", python(PAST_THE_PROXY))
    assert [line.split(" by ")[0] for line in connected.named][-1] == "socket.connect 192.0.2.7"
    looked_up = tried(tmp_path / "looked-up", python(LOOKED_UP))
    assert [line.split(" by ")[0] for line in looked_up.named] == ["socket.getaddrinfo elsewhere.test"]
    assert_counted(connected, looked_up)


def test_programs_that_are_no_python_are_counted(tmp_path: Path) -> None:
    by_address = tried(tmp_path / "address", ["bash", "-c", "exec 3<>/dev/tcp/192.0.2.7/443"])
    by_name = tried(tmp_path / "name", ["getent", "hosts", "elsewhere.test"])
    assert (by_address.proxied, by_address.named) == (by_name.proxied, by_name.named) == ((), ())
    assert_counted(by_address, by_name)


def assert_counted(*attempts: Attempts) -> None:
    """Where the kernel gives users no network of their own, nobody counts, and the record says so."""
    counts = [one.unrouted for one in attempts]
    assert all(counts) if namespaces_are_given() else counts == [None] * len(counts)


@pytest.mark.parametrize("isolated", [None, False])
def test_what_stays_on_this_machine_is_not_noted(tmp_path: Path, isolated: bool | None) -> None:
    assert tried(tmp_path / "local", python(LOCAL), isolated=isolated).none
