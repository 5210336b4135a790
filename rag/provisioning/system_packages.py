"""The distribution's own packages: installed where the user may, else named with the command that installs them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rag.errors import ToolMissing
from rag.provisioning.console import Console

_LOCK_SECONDS = 300  # another package manager may be at work
_EVERYBODY_READS = 0o022  # what apt-get installs is everybody's, unlike what this program writes


def install_system_packages(tool: str, packages: Sequence[str], console: Console, log: Path) -> None:
    """Install Debian packages that bring ``tool``; what apt-get says goes to ``log``.

    Raises ``ToolMissing``, which names the command, where this user may not install, or where apt-get fails.
    """
    apt = shutil.which("apt-get")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if apt is None or os.geteuid() != 0:
        raise ToolMissing(tool=tool, command=f"sudo {' '.join(command)}")
    console.note("installing", packages=" ".join(packages))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        patience = ["-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", "-o", "Acquire::Retries=3"]
        install = [apt, *patience, "--quiet", *command[1:]]
        # A fresh machine has no list of packages yet, an old one has a stale list: so the list is renewed first.
        for step in ([apt, *patience, "--quiet", "update"], install):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
            code = subprocess.run(
                step,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                umask=_EVERYBODY_READS,
                check=False,
            ).returncode
    if code != 0:
        raise ToolMissing(tool=tool, command=f"{' '.join(command)}  ({log})")
