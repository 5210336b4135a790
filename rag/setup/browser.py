"""Installs what the page tests need besides Python: Chromium and Chinese fonts."""

import shutil
import subprocess

from rag.errors import ToolMissing
from rag.settings import Settings
from rag.setup.console import Console, Outcome
from rag.setup.system_packages import install_system_packages

_CHROMIUM = ("chromium", "chromium-browser")
_NAME = "Chromium"


def provide_browser(settings: Settings, console: Console) -> Outcome:
    """Make sure that there is a Chromium with Chinese letters.  Raises ``ToolMissing``, which names the command."""
    missing = [
        package for package, present in (("chromium", _has_chromium), ("fonts-noto-cjk", _has_cjk)) if not present()
    ]
    if not missing:
        return Outcome(_NAME, "here")
    install_system_packages(_NAME, missing, console, settings.cache_dir / "logs" / "browser.log")
    if not _has_chromium():
        raise ToolMissing(tool=_NAME, command="sudo apt-get install chromium")
    return Outcome(_NAME, "installed")


def _has_chromium() -> bool:
    return any(shutil.which(name) for name in _CHROMIUM)


def _has_cjk() -> bool:
    """Ask fontconfig, which Chromium asks, too."""
    fc_list = shutil.which("fc-list")
    if fc_list is None:
        return False
    return bool(subprocess.run([fc_list, ":lang=zh-cn"], capture_output=True, text=True, check=False).stdout.strip())
