"""The page that ``hostile_desk`` serves: the product's own, with its services."""

from tests.ui.hostile_desk import services
from ui.app import run

run(services)
