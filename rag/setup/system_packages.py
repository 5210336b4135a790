"""Installs distribution packages where the user may, else prints the command that installs them."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rag.errors import ToolMissing
from rag.settings import Settings
from rag.setup.console import Console, Outcome, open_log
from rag.setup.packages import fetch_code_problems

_LOCK_SECONDS = 300  # another package manager may be at work
_EVERYBODY_READS = 0o022  # what apt-get installs is everybody's, unlike what this program writes
_INSTALLED = re.compile(r"^Inst (\S+)", re.MULTILINE)  # how `apt-get --simulate` tells a package that it would install
_CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser")
"""Programs that drive the same engine; the first has no window and loads a page in two thirds of the processor time."""

_NAME = "Chromium"
_SANDBOX = "bubblewrap"


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


def provide_browser(settings: Settings, console: Console) -> Outcome:
    """Make sure that there is a Chromium with Chinese letters.  Raises ``ToolMissing``, which names the command."""
    fonts = [] if _has_cjk() else ["fonts-noto-cjk"]
    if find_chromium() is not None and not fonts:
        return Outcome(_NAME, "here")
    log = settings.cache_dir / "logs" / "browser.log"
    if find_chromium() is not None:
        install_system_packages(_NAME, fonts, console, log)
        return Outcome(_NAME, "installed")
    try:
        install_system_packages(_NAME, [_CHROMIUM[0], *fonts], console, log)
    except ToolMissing:  # Ubuntu has no such package
        install_system_packages(_NAME, ["chromium", *fonts], console, log)
    if find_chromium() is None:
        raise ToolMissing(tool=_NAME, command="sudo apt-get install chromium")
    return Outcome(_NAME, "installed")


def find_chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for path in map(shutil.which, _CHROMIUM) if path), None)


def provide_sandbox(settings: Settings, console: Console) -> Outcome:
    """Make sure that programs of a model can be run in a sandbox, and that HumanEval's problems are here.

    Raises ``ToolMissing``, which names the command, or ``DownloadFailed``.
    """
    fetch_code_problems(settings, console)
    if shutil.which("bwrap"):
        return Outcome(_SANDBOX, "here")
    install_system_packages(_SANDBOX, [_SANDBOX], console, settings.cache_dir / "logs" / "sandbox.log")
    if not shutil.which("bwrap"):
        raise ToolMissing(tool=_SANDBOX, command=f"sudo apt-get install {_SANDBOX}")
    return Outcome(_SANDBOX, "installed")


def _has_cjk() -> bool:
    """Ask fontconfig, which Chromium asks, too."""
    fc_list = shutil.which("fc-list")
    if fc_list is None:
        return False
    return bool(subprocess.run([fc_list, ":lang=zh-cn"], capture_output=True, text=True, check=False).stdout.strip())
