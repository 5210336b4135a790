"""Where a server listens, the names under which it may be asked for, and gRPC's certificate.

Imports no gRPC: commands check this first.
"""

import errno
import socket
import ssl
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from rag.errors import (
    AddressUnusable,
    CertificateNeeded,
    CertificateUnusable,
    ExtraMissing,
    OpenWithoutSignIn,
    PortTaken,
)
from rag.settings import LOOPBACKS, Settings

THIS_MACHINE = "127.0.0.1"
ANOTHER_GRPC_PORT = "--grpc-port 8611"
_LAST_PORT = 65535


def own_names(host: str, names: Sequence[str]) -> list[str]:
    """Return the host names under which a server that listens at ``host`` is asked for; others are DNS rebinding."""
    own = ["localhost", "127.0.0.1", "[::1]", "::1"]
    if host in LOOPBACKS:
        return [*own, *names]
    addresses = [address.address for card in psutil.net_if_addrs().values() for address in card]
    return [*own, socket.gethostname(), socket.getfqdn(), *addresses, *names]


def require_sign_in(settings: Settings, host: str) -> None:
    """Raise ``OpenWithoutSignIn`` where other machines could reach a server that asks nobody who they are."""
    from api.services.start import open_people  # brings numpy, which the way to an open desk does without

    if host not in LOOPBACKS and not open_people(settings).required():
        raise OpenWithoutSignIn(address=host)


def is_open_unencrypted(settings: Settings, host: str) -> bool:
    """Tell whether other machines are served without https, by this server or a proxy."""
    return host not in LOOPBACKS and not settings.proxies()


def require_free(host: str, port: int, another: str) -> None:
    """Raise ``PortTaken`` or ``AddressUnusable`` before anything long begins.

    ``another`` is how to name another port: "--port 8700".
    """
    if not 0 <= port <= _LAST_PORT:
        raise AddressUnusable(host=host, port=port, reason="port")
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no machine can have
            raise _unusable(error, host, port, another) from error


def _unusable(error: OSError | UnicodeError, host: str, port: int, another: str) -> PortTaken | AddressUnusable:
    if isinstance(error, UnicodeError | socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return AddressUnusable(host=host, port=port, reason="host")
    if error.errno == errno.EADDRINUSE:
        return PortTaken(port=port, another=another)
    if error.errno == errno.EACCES:
        return AddressUnusable(host=host, port=port, reason="reserved")
    return AddressUnusable(host=host, port=port, reason=error.strerror or type(error).__name__)


_PACKAGES = ("grpc", "grpc_health", "grpc_reflection", "grpc_status")


@dataclass(frozen=True, slots=True)
class GrpcAddress:
    """A host, a port (0: any that is free), and the two PEM files of a certificate, where it is to be encrypted."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def target(self) -> str:
        """The address as gRPC takes it.

        >>> GrpcAddress("::1", 8601).target, GrpcAddress("127.0.0.1", 8601).target
        ('[::1]:8601', '127.0.0.1:8601')
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def pair(self) -> tuple[Path, Path] | None:
        """The certificate and its key; None: nothing is encrypted.  Raises ``CertificateUnusable`` for one alone."""
        if self.certificate is None and self.key is None:
            return None
        if self.certificate is None or self.key is None:
            raise CertificateUnusable(certificate=self.certificate or "-", key=self.key or "-", reason="-")
        return self.certificate, self.key

    def require_usable(self) -> None:
        """Raise ``ExtraMissing``, ``CertificateNeeded`` or ``CertificateUnusable`` before anything long begins."""
        if any(find_spec(package) is None for package in _PACKAGES):
            raise ExtraMissing(what="gRPC", extra="grpc")
        pair = self.pair
        if pair is not None:
            _require_pair(*pair)
        elif self.host not in LOOPBACKS:
            raise CertificateNeeded(address=self.host)


def _require_pair(certificate: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")  # never ask the terminal
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror or type(error).__name__
        raise CertificateUnusable(certificate=certificate, key=key, reason=reason) from error
