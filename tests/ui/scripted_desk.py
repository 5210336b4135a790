"""The desk over a scripted pipeline, with routes that open its gates.

``python -m tests.ui.scripted_desk FOLDER PORT`` serves it; ``tests/ui/conftest.py`` starts it.
"""

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Generator as GeneratorObject
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.services.jobs import Jobs
from api.services.knowledge import KnowledgeRegistry
from api.services.shared import KnowledgeState, ModelState, SharedServices, Topic
from rag.errors import AnswerCancelled
from rag.pipeline import AskOptions
from rag.protocols import GeneratedText, GenerationFinished, GenerationPart, Message
from rag.retrieval.question import clean_question
from rag.reuse.curated import Curation
from rag.schema import Event, Language
from rag.settings import Settings
from rag.storage.access import KnowledgeBases
from rag.storage.figures import FigureFolder
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import TurnStore
from rag.testing import HashEmbedder, ScriptedGenerator, offline_parts, publish_documents
from rag.text.language import question_language
from rag.tracing import Trace
from rag.turns import PersonalCorrections, TurnService, WritingService
from tests.ui.remote_control import SteeredDesk
from tests.ui.scenes import STAGES, WORDS, document, evidence, figure, steps
from tests.ui.views.quality.registries import other_services
from ui.server import desk_configuration

OTHER_HOST = "desk.test"
TOPICS: dict[Language, tuple[str, ...]] = {
    "en": ("Returning an order - how long you have", "VAT invoices", "Drift R3: first set-up"),
    "zh": ("七天无理由退货说明", "电子发票怎么开", "Drift R3 首次配网"),
}


class Gates:
    """Events by question and stage.  A question is its own name, so tests do not meet."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], threading.Event] = defaultdict(threading.Event)
        self._scenes: dict[str, str] = {}
        self.earlier: dict[str, Sequence[str]] = {}

    def prepare(self, question: str, scene: str, until: str) -> None:
        """Name the scene that a question plays, and open its gates before the stage ``until``, and no others.

        A question may have been asked before, by another test.
        """
        self._scenes[question] = scene
        opened = STAGES if until == "all" else STAGES[: STAGES.index(until)]
        for stage in STAGES:
            gate = self._open[question, stage]
            gate.set() if stage in opened else gate.clear()

    def scene(self, question: str) -> str:
        return self._scenes.get(question, "done")

    def wait(self, question: str, stage: str, cancelled: threading.Event | None) -> None:
        gate = self._open[question, stage]
        while not gate.wait(timeout=0.02):
            if cancelled is not None and cancelled.is_set():
                raise AnswerCancelled


class ScenePipeline:
    """Plays scenes; the real pipeline's checks of the question come first."""

    def __init__(self, gates: Gates, curation: Curation | None = None) -> None:
        self._gates = gates
        self._curation = curation
        for language in WORDS:
            evidence(language)  # read from the disk now, while nobody waits for it

    def stream(self, question: str, options: AskOptions) -> GeneratorObject[Event, None, None]:
        question = clean_question(question, 8000)
        self._gates.earlier[question] = options.earlier
        written = None
        if self._curation is not None and not options.fresh:
            written = self._curation.answer(question, question_language(question), Trace())
        if written is not None:
            yield written.retrieved
            yield written.completed
            return
        for step in steps(self._gates.scene(question), question_language(question)):
            if isinstance(step, str):
                self._gates.wait(question, step, options.cancelled)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step


class Writer(ScriptedGenerator):
    """The model that rewrites and translates: it says what a test tells it, and is held with a heartbeat until then."""

    def __init__(self) -> None:
        super().__init__()
        self.says = ""
        self.gate = threading.Event()

    @property
    def model(self) -> str:
        return "stand-in:1.5b"

    def generate(
        self, messages: Sequence[Message], *, think: bool, max_tokens: int, candidates: int = 0
    ) -> GeneratorObject[GenerationPart, None, None]:
        self.calls.append(list(messages))
        yield GeneratedText("")
        while not self.gate.wait(timeout=0.02):
            yield GeneratedText("")
        yield GeneratedText(self.says)
        yield GenerationFinished()


class State:
    """What the head line shows, changed by the tests."""

    def __init__(self) -> None:
        self.model = ModelState("ready", "stand-in:1.5b", stand_in=True)
        self.knowledge = KnowledgeState(12, datetime.now(UTC) - timedelta(hours=3, minutes=5), 96, 412)


GATES = Gates()
WRITER = Writer()
STATE = State()


@cache
def services() -> SharedServices:
    """Return the one set of services, over a store in the folder named on the command line."""
    folder = Path(sys.argv[1])
    settings = Settings(data_dir=folder, cache_dir=folder, ollama_host="127.0.0.1:9")
    curation = Curation.of(settings, knowledge(folder / "knowledge" / "default"))
    pipeline = ScenePipeline(GATES, curation)
    bases = KnowledgeBases(folder / "knowledge")
    others = other_services(folder, pipeline)
    audit = others["people"].audit
    others["corrections"] = lambda who: PersonalCorrections(lambda name: curation, bases, who, audit)
    others["writings"] = writings_of(folder / "writer", WRITER)
    return SharedServices(
        turns=TurnService(lambda knowledge_base, user: pipeline, TurnStore(settings.turns_database), 32),
        bases=bases,
        knowledge_state=lambda name: STATE.knowledge,
        model=lambda: STATE.model,
        topics=lambda name, language: tuple(Topic(title, language) for title in TOPICS[language]),
        knowledge_registry=KnowledgeRegistry(Settings(data_dir=folder), Jobs(), lambda name, user: pipeline),
        **others,
    )


def writings_of(folder: Path, writer: ScriptedGenerator) -> WritingService:
    """Return what rewrites and translates with a scripted model, in a line of its own."""
    parts = offline_parts(folder, generator=writer)
    return WritingService(lambda knowledge_base, user: parts)


def knowledge(folder: Path) -> KnowledgeStore:
    """Publish the articles that the scenes quote, so that answers can be written that rest on them."""
    articles = {place[0]: document(place[0]) for words in WORDS.values() for place in words.passages}
    for language, words in WORDS.items():
        name = words.passages[0][0]
        articles[name] = replace(articles[name], figures=(figure(language)[0],))
    publish_documents(folder, list(articles.values()), HashEmbedder())
    for language in WORDS:
        FigureFolder(folder).keep(figure(language)[1])
    return KnowledgeStore(folder)


async def _let(request: Request) -> Response:
    asked = await request.json()
    GATES.prepare(asked["question"], asked["scene"], asked["until"])
    return JSONResponse({})


async def _set(request: Request) -> Response:
    asked = await request.json()
    if "model" in asked:
        STATE.model = replace(STATE.model, **asked["model"])
    if "knowledge" in asked:
        STATE.knowledge = KnowledgeState(**json.loads(json.dumps(asked["knowledge"])))
    if asked.get("reset"):
        STATE.__init__()  # type: ignore[misc]
    return JSONResponse({})


async def _write(request: Request) -> Response:
    asked = await request.json()
    WRITER.says = asked["says"]
    WRITER.gate.clear() if asked.get("held") else WRITER.gate.set()
    return JSONResponse({})


async def _earlier(request: Request) -> Response:
    return JSONResponse(GATES.earlier[request.query_params["question"]])


async def _outcome(request: Request) -> Response:
    feedback, turn_id = services().turns.feedback, request.query_params["turn"]
    opinion = feedback.opinion(turn_id)
    return JSONResponse(
        {
            "outcome": feedback.outcome(turn_id),
            "opinion": None if opinion is None else [opinion.useful, opinion.reason],
            "by_topic": [asdict(one) for one in feedback.counts_by("topic")],
        }
    )


def application() -> SteeredDesk:
    """Return the desk's own application around the scripted page."""
    script = Path(__file__).with_name("scripted_page.py")
    routes = [
        Route("/scripted/let", _let, methods=["POST"]),
        Route("/scripted/set", _set, methods=["POST"]),
        Route("/scripted/write", _write, methods=["POST"]),
        Route("/scripted/earlier", _earlier),
        Route("/scripted/outcome", _outcome),
    ]
    return SteeredDesk(script, services, routes)


if __name__ == "__main__":
    # the page's script must meet this module's gates, not a second copy's
    sys.modules["tests.ui.scripted_desk"] = sys.modules["__main__"]
    port = int(sys.argv[2])
    # as on a team's network, where the page is reached under a name of its own and without https
    team = {
        "server.allowedHosts": ["localhost", "127.0.0.1", OTHER_HOST],
        "server.corsAllowedOrigins": [f"http://{OTHER_HOST}:{port}"],
    }
    application().run(config=desk_configuration({"server.port": port, **team}))
