"""What the desks of the tests import and find out: ``desk_process.py`` forks them from a process that has done it."""

import functools
import importlib
import os
import pkgutil
import signal

import streamlit.components.v2.manifest_scanner
from PIL import Image

import tests.ui.hostile_desk
import tests.ui.views.knowledge.served
import tests.ui.views.models.served
import tests.ui.views.quality.served  # noqa: F401
import ui.views
from rag.priority import parent_death_hook

# imported late, by Streamlit, uvicorn and the product
_LATE = (
    "anyio._backends._asyncio",
    "bs4",
    "charset_normalizer",
    "httpx",
    "ingest.loaders.html",
    "ingest.loaders.markdown",
    "ingest.loaders.text",
    "itsdangerous",
    "pandas",
    "pyarrow",
    "streamlit.web.bootstrap",
    "ui.navigation",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
    "yaml",
)

for _page in pkgutil.walk_packages(ui.views.__path__, "ui.views."):
    importlib.import_module(_page.name)
for _name in _LATE:
    importlib.import_module(_name)
Image.init()

# Each server looks for components among the installed packages, which takes a second.
_scanner = streamlit.components.v2.manifest_scanner
_scanner.scan_component_manifests = functools.cache(_scanner.scan_component_manifests)
_scanner.scan_component_manifests()

parent_death_hook(signal.SIGKILL, os.getppid())()
