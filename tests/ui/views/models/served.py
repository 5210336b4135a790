"""``python -m tests.ui.views.models.served FOLDER PORT``: the real pages over a fake model server, and its gate."""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.services.guarded import recorder
from api.services.models import Calibrations, ModelRegistry
from api.services.shared import SharedServices
from api.services.start import open_people
from rag.ollama.hardware import Machine
from rag.queue.admission import Admission, Ticket
from rag.settings import Settings
from rag.storage.access import User
from rag.storage.regression import RegressionQuestion, RegressionQuestions
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import TurnStore
from rag.turns import TurnService
from tests.support.gguf_files import write_gguf
from tests.ui.remote_control import SteeredDesk
from tests.ui.scripted_desk import GATES, ScenePipeline
from tests.ui.views.knowledge.library import Library
from tests.ui.views.models.fake_calibration import FakeCalibration
from tests.ui.views.models.fake_server import STAND_IN, FakeModelServer
from ui import session
from ui.server import desk_configuration

SERVER = FakeModelServer()
ADMISSION = Admission(2, 8)
CALIBRATION = FakeCalibration()
ANSWERS: list[Ticket] = []
LAPTOP = Machine(cores=4, memory_bytes=16_000_000_000, gpu_bytes=0)


@cache
def services() -> SharedServices:
    """Return the one set of services, over a fake model server that runs as long as this process."""
    SERVER.__enter__()
    folder = Path(sys.argv[1])
    write_gguf(folder / "weights.gguf")
    library = Library(folder)
    library.publish({"note.md": "# A note\n\nLong enough to be a passage about kettles.\n"})
    settings: Settings = library.settings.changed(
        ollama_host=SERVER.url, model=STAND_IN, parallel_slots=2, cache_dir=folder / "cache"
    )
    for number in (1, 2):
        words = RegressionQuestion(f"{number}. What is it about?", "en", ("note.md",), quote="kettles", origin="file")
        RegressionQuestions(KnowledgeStore(settings.knowledge_dir)).add(words)
    people = open_people(settings)
    models = ModelRegistry(
        settings,
        library.jobs,
        record=recorder(people.audit),
        admission=ADMISSION,
        machine=lambda: LAPTOP,
        calibrations=Calibrations(settings, CALIBRATION.process),
    )
    pipeline = ScenePipeline(GATES)
    turns = TurnService(lambda name, user: pipeline, TurnStore(settings.turns_path), 4)
    return replace(library.services(turns), models=models, people=people)


async def _set(request: Request) -> Response:
    asked = await request.json()
    if "gate" in asked:
        for gate in (SERVER.gate, CALIBRATION.gate):
            (gate.set if asked["gate"] == "open" else gate.clear)()
    if "role" in asked:
        session.LOCAL_USER = User("lin", asked["role"])
    if "answers" in asked:
        while ANSWERS:
            ANSWERS.pop().close()
        ANSWERS.extend(ADMISSION.ticket() for _ in range(asked["answers"]))
    if "down" in asked:
        SERVER.__exit__(None, None, None)
    return JSONResponse({"folder": sys.argv[1]})


def application() -> SteeredDesk:
    """Return the product's own application around the page."""
    routes = [Route("/library/set", _set, methods=["POST"])]
    return SteeredDesk(Path(__file__).with_name("page.py"), services, routes)


if __name__ == "__main__":
    sys.modules["tests.ui.views.models.served"] = sys.modules["__main__"]
    application().run(config=desk_configuration({"server.port": int(sys.argv[2])}))
