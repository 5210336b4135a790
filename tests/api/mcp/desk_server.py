"""``python -m tests.api.mcp.desk_server PORT``: the desk with the API in its process, and offline knowledge bases."""

import sys

from rag.settings import load_settings
from tests.api.offline_server import HeldModel, _services
from ui.server import DeskApplication, desk_configuration

if __name__ == "__main__":
    services = _services(load_settings(), HeldModel())
    configuration = {"server.port": int(sys.argv[1]), "server.address": "127.0.0.1", "server.headless": True}
    DeskApplication(services=lambda: services, api=True).run(config=desk_configuration(configuration))
