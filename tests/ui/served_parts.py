"""Services of which only the people are real: what stands behind a guard that lets nobody in."""

from types import SimpleNamespace
from typing import cast

from api.services.shared import PeopleServices, SharedServices
from api.services.turn_feeds import TurnFeeds


def people_only(people: PeopleServices) -> SharedServices:
    """Return them; whatever else is asked for is not there, and a test that reaches it fails."""
    return cast(SharedServices, SimpleNamespace(people=people, feeds=TurnFeeds()))
