"""Where a server listens, and the names under which it may be asked for."""

import socket
from collections.abc import Sequence
from contextlib import closing

import psutil

from rag.errors import OpenWithoutSignIn, PortTaken
from rag.settings import LOOPBACKS, Settings

THIS_MACHINE = "127.0.0.1"


def own_names(host: str, names: Sequence[str]) -> list[str]:
    """Return the host names under which a server that listens at ``host`` is asked for; others are DNS rebinding."""
    own = ["localhost", "127.0.0.1", "[::1]", "::1"]
    if host in LOOPBACKS:
        return [*own, *names]
    addresses = [address.address for card in psutil.net_if_addrs().values() for address in card]
    return [*own, socket.gethostname(), socket.getfqdn(), *addresses, *names]


def require_sign_in(settings: Settings, host: str) -> None:
    """Raise ``OpenWithoutSignIn`` where other machines could reach a server that asks nobody who they are."""
    from api.services.shared import open_people  # brings numpy, which the way to an open desk does without

    if host not in LOOPBACKS and not open_people(settings).required():
        raise OpenWithoutSignIn(address=host)


def is_open_unencrypted(settings: Settings, host: str) -> bool:
    """Tell whether other machines are served without https: listening for them, and behind no proxy that has it."""
    return host not in LOOPBACKS and not settings.proxies()


def require_free(host: str, port: int) -> None:
    """Raise ``PortTaken`` before anything long begins."""
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(port=port) from error
