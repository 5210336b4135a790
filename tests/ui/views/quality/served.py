"""``python -m tests.ui.views.quality.served FOLDER PORT [empty]``: the real pages, with runs, corrections and gaps.

The knowledge base, the turns and the curated answers are real files; the embedder is the tests', and an evaluation
runs in a thread, which waits at a gate.
"""

import sys
import threading
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.services.jobs import JobControl
from api.services.quality import QualityRegistry
from api.services.shared import SharedServices
from api.services.start import open_people
from eval import background_process
from eval.background import Evaluation, EvaluationProgress
from eval.core import knowledge
from rag.reuse.curated import Curation, Place
from rag.schema import Conflict
from rag.settings import Settings
from rag.storage.access import KnowledgeBases, User
from rag.storage.curated import CuratedAnswers
from rag.storage.store import KnowledgeStore
from rag.storage.turn_store import OutcomeOrigin, TurnStore
from rag.testing import HashEmbedder
from rag.turns import PersonalCorrections, TurnService
from tests.eval.gaps.asked import ASKED_BY_TOPIC
from tests.eval.gaps.turns import AskedTurns, passage
from tests.ui.remote_control import SteeredDesk
from tests.ui.scripted_desk import GATES, ScenePipeline
from tests.ui.views.knowledge.library import Library
from ui import session
from ui.server import desk_configuration

GATE = threading.Event()
GATE.set()
OLD, NEW = "en/delivery/delivery-fees-2025.md", "en/delivery/delivery-fees.md"
TEAMS = ("returns", "sales")


class QualityLibrary(Library):
    """A library whose questions were asked, disliked and corrected."""

    def quality(self) -> QualityRegistry:
        """Return what the Quality page is given; evaluations run in a thread."""
        turns = TurnStore(self.settings.turns_path)
        people = open_people(self.settings)
        bases = KnowledgeBases(self.settings.knowledge_folder)
        return QualityRegistry(
            self.settings,
            self.jobs,
            lambda name, user: self.pipeline(),
            lambda: self.embedder,
            lambda name: self.curation(),
            turns.feedback,
            lambda who: PersonalCorrections(lambda name: self.curation(), bases, who, people.audit, "local"),
            _evaluate,
        )

    @cache  # noqa: B019  (one library a process)
    def curation(self) -> Curation:
        """Return the curated answers: what agents write waits for a review."""
        store = KnowledgeStore(self.settings.knowledge_dir)
        return Curation(store, CuratedAnswers(store.folder), review=True)

    def ask(self) -> None:
        """Let questions go well and badly."""
        asked = AskedTurns(self.settings.turns_path)
        for number, (topic, questions) in enumerate(ASKED_BY_TOPIC.items()):
            for question in questions[: 2 + number % 3]:
                (asked.disliked if topic == "jobs" else asked.refused)(question)
        asked.failed("Is anybody there?", "OllamaUnavailable")
        store = KnowledgeStore(self.settings.knowledge_dir)
        texts = {name: store.document(name, store.current_generation()).text for name in (OLD, NEW)}
        lines = {
            name: next(line for line in text.splitlines() if "€" in line or "EUR" in line)
            for name, text in texts.items()
        }
        passages = [passage(number, name, lines[name]) for number, name in enumerate((NEW, OLD), start=1)]
        conflict = Conflict(1, 2, NEW, OLD, lines[NEW], lines[OLD])
        for question in ("How much is delivery to Norway?", "What does shipping cost?"):
            asked.resting_on(question, *passages, conflicts=(conflict,))
        for number in range(24):
            turn = asked.answered(f"Question number {number}?")
            outcome = ("copied", "edited", "copied", "discarded", "handed_over")[number % 5]
            origin = OutcomeOrigin("model", ("en/returns", "zh/membership")[number % 2], (*TEAMS, "")[number % 3])
            asked.store.feedback.record(turn.turn_id, outcome, 0.25 if outcome == "edited" else 0.0, origin)
            asked.store.feedback.judge(turn.turn_id, "lin", useful=outcome != "discarded", reason="tone")

    def correct(self) -> None:
        """Let agents write two answers that wait for a review."""
        window = Place("en/returns/return-window.md", 0, 200)
        self.curation().write(
            "How long can I return a gift?", "Thirty days from delivery.", author="mei", sources=[window]
        )
        self.curation().write(
            "积分什么时候过期？",
            "积分在次年 12 月 31 日过期。",
            author="bo",
            sources=[Place("zh/membership/points-rules-2026.md", 0, 100)],
        )


def _evaluate(settings: Settings, evaluation: Evaluation, control: JobControl) -> None:
    def tell(done: int, total: int) -> None:
        control.tell(EvaluationProgress(done, total))
        while done and not GATE.wait(timeout=0.02):
            control.tell(EvaluationProgress(done, total))

    background_process.measure(evaluation, settings, tell)


@cache
def library() -> QualityLibrary:
    """Return the one library of this process, filled."""
    embedder = HashEmbedder()
    for module in (knowledge, background_process):
        module.open_embedder = lambda settings: embedder  # type: ignore[attr-defined]
    made = QualityLibrary(Path(sys.argv[1]))
    if sys.argv[3:] != ["empty"]:
        made.fill()
        made.ask()
        made.correct()
    return made


@cache
def services() -> SharedServices:
    """Return the one set of services."""
    pipeline = ScenePipeline(GATES, library().curation())
    turns = TurnService(lambda name, user: pipeline, TurnStore(library().settings.turns_path), 4)
    return library().services(turns)


async def _set(request: Request) -> Response:
    asked = await request.json()
    if "gate" in asked:
        (GATE.set if asked["gate"] == "open" else GATE.clear)()
    if "role" in asked:
        session.LOCAL_USER = User("lin", asked["role"])
    return JSONResponse({})


async def _audit(request: Request) -> Response:
    trail = open_people(library().settings).audit
    return JSONResponse([[entry.who, entry.what, dict(entry.details)] for entry in trail.entries()])


def application() -> SteeredDesk:
    """Return the product's own application around the page."""
    routes = [Route("/library/set", _set, methods=["POST"]), Route("/library/audit", _audit)]
    return SteeredDesk(Path(__file__).with_name("page.py"), services, routes)


if __name__ == "__main__":
    sys.modules["tests.ui.views.quality.served"] = sys.modules["__main__"]
    application().run(config=desk_configuration({"server.port": int(sys.argv[2])}))
