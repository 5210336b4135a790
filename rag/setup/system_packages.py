"""Installs distribution packages where the user may, else prints the command that installs them."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rag.errors import ToolMissing
from rag.setup.console import Console
from rag.setup.log_files import open_log

_LOCK_SECONDS = 300  # another package manager may be at work
_EVERYBODY_READS = 0o022  # what apt-get installs is everybody's, unlike what this program writes
_INSTALLED = re.compile(r"^Inst (\S+)", re.MULTILINE)  # how `apt-get --simulate` tells a package that it would install


def install_system_packages(tool: str, packages: Sequence[str], console: Console, log: Path) -> None:
    """Install Debian packages that bring ``tool``; what apt-get says goes to ``log``.

    All that is going to be installed is said before.  Raises ``ToolMissing``, which names the command, where this user
    may not install, or where apt-get fails; ``LinkInCache``.
    """
    apt = shutil.which("apt-get")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if apt is None or os.geteuid() != 0:
        raise ToolMissing(tool=tool, command=f"sudo {' '.join(command)}")
    patience = ["-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", "-o", "Acquire::Retries=3"]
    with open_log(log) as output:

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
            done = subprocess.run(
                [apt, *patience, "--quiet", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=output, text=True, env=environment, umask=_EVERYBODY_READS, check=False,
            )  # fmt: skip
            output.write(done.stdout.encode())
            output.flush()
            return done

        run("update")  # a fresh machine has no list of packages yet, an old one has a stale list
        planned = _INSTALLED.findall(run("--simulate", *command[1:]).stdout)
        console.note("installing", packages=" ".join(packages), all=" ".join(planned) or "?", path=apt)
        code = run(*command[1:]).returncode
    if code != 0:
        raise ToolMissing(tool=tool, command=f"{' '.join(command)}  ({log})")
