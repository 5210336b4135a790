"""Notes every attempt of a program to reach another machine.  Three instruments watch at once:

- a proxy that the environment names: it notes each request and refuses it, so that what honours it is known by name;
- a network namespace of the program's own, with nothing in it but a loopback: the kernel counts each packet and each
  connection that found no route, by whatever program, in whatever language; a name server that is nobody's (RFC 5737)
  makes each look-up count, too;
- an audit hook in each Python process, which notes what it looks up and connects to.

Where the kernel gives no namespaces to users, the other two remain, and ``unrouted`` is None.

``python -m tests.outgoing FOLDER PORT`` is the process inside.  What listens on PORT there is reached at PORT outside.
"""

import fcntl
import json
import os
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.local_server import LocalServer

CHECKOUT = Path(__file__).parents[1]
_NOBODYS_NAME_SERVER = "nameserver 192.0.2.1\n"
_SET_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS and IFF_UP of linux/sockios.h and linux/if.h
_PIECE_BYTES = 1 << 16
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")

HOOK = """
import os, sys
def _note(event, arguments):
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
        return
    address = arguments[0] if event in ("socket.getaddrinfo", "socket.gethostbyname") else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    by_path = not isinstance(address, tuple) and event in ("socket.connect", "socket.sendto")
    if by_path or not host or host in ("localhost", "::1", "::", "0.0.0.0") or str(host).startswith("127."):
        return
    with open(os.environ["NOTED_ATTEMPTS"], "a") as file:
        file.write(f"{event} {host} by {' '.join(sys.orig_argv[:4])}\\n")
sys.addaudithook(_note)
"""


@dataclass(frozen=True, slots=True)
class Attempts:
    """What was tried so far.  ``unrouted`` counts packets and connections without a route; None: nobody counted."""

    proxied: tuple[str, ...]
    named: tuple[str, ...]
    unrouted: int | None

    @property
    def none(self) -> bool:
        """No instrument saw anything."""
        return not (self.proxied or self.named or self.unrouted)


class WatchedNetwork:
    """Where programs run that are to reach nobody.  ``port`` is the one that is reached from outside as well."""

    def __init__(self, folder: Path, port: int, keeper: "subprocess.Popen[str]", *, isolated: bool) -> None:
        self.port = port
        self.isolated = isolated
        self._folder = folder
        self._keeper = keeper
        self._proxy = self._ask("proxy")

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs ``command`` inside, in a folder that ``cwd`` cannot name: it is named anew."""
        if not self.isolated:
            return list(command)
        enter = ["nsenter", f"--target={self._keeper.pid}", "--user", "--net", "--mount", "--preserve-credentials"]
        return [*enter, f"--wd={self._folder / 'elsewhere'}", "--", *command]

    def environment(self, changes: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of programs inside: instruments, checkout, and nothing of the user's but PATH."""
        proxies = {form: self._proxy for name in _PROXY_VARIABLES for form in (name, name.upper())}
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join([str(self._folder / "hook"), str(CHECKOUT)]),
            "NOTED_ATTEMPTS": str(self._folder / "attempts"),
            **proxies,
            **changes,
        }

    def attempts(self) -> Attempts:
        """Return what was tried so far."""
        noted = self._folder / "attempts"
        named = noted.read_text().splitlines() if noted.exists() else []
        proxied, unrouted = json.loads(self._ask("attempts"))
        return Attempts(tuple(proxied), tuple(named), unrouted if self.isolated else None)

    def _ask(self, question: str) -> str:
        assert self._keeper.stdin is not None and self._keeper.stdout is not None
        self._keeper.stdin.write(f"{question}\n")
        self._keeper.stdin.flush()
        answer = self._keeper.stdout.readline().strip()
        assert answer, "the process inside has ended"
        return answer


def namespaces_are_given() -> bool:
    """Tell whether this user may make a network of their own here."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    return subprocess.run(["unshare", "-rnm", "true"], capture_output=True, check=False).returncode == 0


@contextmanager
def watched_network(folder: Path, *, isolated: bool | None = None) -> Iterator[WatchedNetwork]:
    """Watch until the block is left; ``isolated`` None: in a network of its own where the kernel gives one."""
    alone = namespaces_are_given() if isolated is None else isolated
    for name in ("elsewhere", "hook"):
        (folder / name).mkdir(parents=True)
    (folder / "hook" / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    (folder / "resolv.conf").write_text(_NOBODYS_NAME_SERVER, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    inside = [sys.executable, "-m", "tests.outgoing", str(folder), str(port)]
    command = ["unshare", "-rnm", *inside, "alone"] if alone else inside
    keeper = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    relay = _Relay(("127.0.0.1", port), str(folder / "relay")) if alone else None
    try:
        yield WatchedNetwork(folder, port, keeper, isolated=alone)
    finally:
        if relay is not None:
            relay.close()
        keeper.communicate()


class _Proxy(BaseHTTPRequestHandler):
    """Notes each request and refuses it."""

    requests: list[str] = []  # noqa: RUF012  (a handler is made for each request)

    def _refuse(self) -> None:
        self.requests.append(f"{self.command} {self.path}")
        self.send_error(403)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_CONNECT = do_OPTIONS = _refuse

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Relay(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Carries connections between a TCP port and a socket in the file system, which namespaces share."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int] | str, target: tuple[str, int] | str) -> None:
        self.address_family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        self._target = target
        super().__init__(address, socketserver.BaseRequestHandler)  # type: ignore[arg-type]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def finish_request(self, request: object, client_address: object) -> None:
        """Copy both ways until one end has closed."""
        assert isinstance(request, socket.socket)
        family = socket.AF_INET if isinstance(self._target, tuple) else socket.AF_UNIX
        with socket.socket(family) as other:
            try:
                other.connect(self._target)
            except OSError:
                return  # nobody listens there yet
            back = threading.Thread(target=_copy, args=(other, request), daemon=True)
            back.start()
            _copy(request, other)
            back.join()

    def get_request(self) -> tuple[socket.socket, object]:
        """Return the next connection; one by path has no address that the base class could show."""
        request, address = self.socket.accept()
        return request, address or ("", 0)

    def server_bind(self) -> None:
        """Bind; the base class would ask for the name of a path."""
        self.socket.bind(self.server_address)

    def close(self) -> None:
        """End."""
        self.shutdown()
        self.server_close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        target.close()


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))


def _unrouted() -> int:
    """Return the kernel's counts of what found no route in this network (RFC 4293, ipSystemStatsOutNoRoutes)."""
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line[:3] == "Ip:"]
    of_6 = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return int(dict(zip(names, values, strict=True))["OutNoRoutes"]) + int(of_6.get("Ip6OutNoRoutes", 0))


def main(folder: Path, port: int, *, alone: bool) -> None:
    """Serve the instruments inside until standard input ends."""
    if alone:
        _raise_loopback()
        subprocess.run(["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"], check=True)
        _Relay(str(folder / "relay"), ("127.0.0.1", port))
    with LocalServer(_Proxy) as proxy:
        for question in sys.stdin:
            answer = proxy.url if question.strip() == "proxy" else json.dumps([_Proxy.requests, _unrouted()])
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), alone="alone" in sys.argv)
