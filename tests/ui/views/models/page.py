"""The page that ``served`` serves: the product's own, with its services."""

from tests.ui.views.models.served import services
from ui.app import run

run(services)
