"""The page that ``served`` serves: the product's own, with its services."""

from tests.ui.views.quality.served import services
from ui.app import run

run(services)
