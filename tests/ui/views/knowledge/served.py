"""``python -m tests.ui.views.knowledge.served FOLDER PORT``: the real pages over ``Library``."""

import sys
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.services.shared import SharedServices
from ingest.lock import writer_lock
from rag.storage.access import User
from rag.storage.turn_store import TurnStore
from rag.turns import TurnService
from tests.ui.remote_control import SteeredDesk
from tests.ui.scripted_desk import GATES, ScenePipeline
from tests.ui.views.knowledge.library import Library
from ui import session
from ui.server import desk_configuration

LOCKS: list[object] = []


@cache
def library() -> Library:
    """Return the one library of this process, over what is in its folder."""
    return Library(Path(sys.argv[1]))


@cache
def services() -> SharedServices:
    """Return the one set of services."""
    pipeline = ScenePipeline(GATES)
    turns = TurnService(lambda name, user: pipeline, TurnStore(library().settings.turns_path), 4)
    return library().services(turns)


async def _set(request: Request) -> Response:
    asked = await request.json()
    made = library()
    if "gate" in asked:
        (made.gate.set if asked["gate"] == "open" else made.gate.clear)()
    if "role" in asked:
        session.LOCAL_USER = User("lin", asked["role"])
    if asked.get("discard"):
        made.jobs.wait(made.desk().job_slot, timeout_seconds=20)
        made.desk().discard()
    if "lock" in asked:
        if asked["lock"]:
            LOCKS.append(writer_lock(made.settings.knowledge_dir))
            LOCKS[-1].__enter__()  # type: ignore[attr-defined]
        elif LOCKS:
            LOCKS.pop().__exit__(None, None, None)  # type: ignore[attr-defined]
    return JSONResponse({})


def application() -> SteeredDesk:
    """Return the product's own application around the page."""
    return SteeredDesk(Path(__file__).with_name("page.py"), services, [Route("/library/set", _set, methods=["POST"])])


if __name__ == "__main__":
    sys.modules["tests.ui.views.knowledge.served"] = sys.modules["__main__"]
    application().run(config=desk_configuration({"server.port": int(sys.argv[2])}))
