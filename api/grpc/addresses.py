"""Where gRPC listens, and with which certificate.  Imports no gRPC: commands check this first."""

import ssl
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rag.errors import CertificateNeeded, CertificateUnusable, ExtraMissing
from rag.settings import LOOPBACKS

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
