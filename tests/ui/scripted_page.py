"""The page that the scripted desk serves: the desk's own, with scripted services."""

from tests.ui.scripted_desk import services
from ui.app import run

run(services)
