"""``python -m tests.ui.hostile_desk FOLDER PORT LEAK``: the real pages over names and texts that try to be drawn.

Titles, files, folders, runs, models, records and the model's reply hold pictures, links, symbols, colours and formulas,
and characters that nobody sees.  ``LEAK`` is the address that their pictures point to.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import streamlit as st

from api.services.guarded import recorder
from api.services.models import Calibrations, ModelRegistry
from api.services.shared import ModelState, SharedServices, Topic
from api.services.start import open_people, performance_reports
from ingest.pipeline import ingest
from rag.pipeline import Pipeline
from rag.protocols import GeneratedText, GenerationPart, Message
from rag.queue.admission import Admission
from rag.settings import Settings
from rag.storage.turn_store import TurnStore
from rag.testing import ScriptedGenerator, offline_parts
from rag.turns import PersonalCorrections, TurnService, WritingService
from tests.eval.gaps.turns import AskedTurns
from tests.ui.views.models.fake_calibration import FakeCalibration
from tests.ui.views.models.fake_server import STAND_IN, FakeModelServer
from tests.ui.views.quality.served import QualityLibrary
from ui.server import DeskApplication, desk_configuration

FILE = "returns ![file](file-leak.png) :material:home: :red[r]\u202egnp\u200b.md"
FOLDER = "![folder](folder-leak.png) :red[manual]"
RUN = "![run](run-leak.png) run"
QUESTION = "How many days do I have to return a kettle?"
SERVER = FakeModelServer()


def hostile(name: str, leak: str) -> str:
    """Return a name that would load a picture, link, colour, draw a symbol or a formula, and read otherwise."""
    return (
        f"{name} ![x]({leak}/{name}.png) [a](javascript:alert(1)) <img src={leak}/{name}> <b>b</b> :material/home: "
        f":red[r] :streamlit: $\\LaTeX$ **s** {leak}/{name} \u202etxt.exe\u202c\u200b|"
    )


class HostileLibrary(QualityLibrary):
    """A knowledge base whose every name is hostile."""

    def __init__(self, folder: Path, leak: str) -> None:
        super().__init__(folder)
        self.leak = leak
        self.manual = folder / FOLDER
        self.generator = ScriptedGenerator(self._says)

    def fill(self) -> None:
        """Publish two articles on one matter and one of an older version, and lay down a run, records and turns."""
        self.manual.mkdir(parents=True)
        for number, days in enumerate((30, 14)):
            title = json.dumps(hostile(f"title{number}", self.leak))
            heading = hostile("heading", self.leak)
            body = f"You have {days} days to return a kettle after delivery. {hostile('text', self.leak)}"
            front = f"---\ntitle: {title}\nupdated: 2026-0{number + 1}-02\nsource: {self.leak}/source.png\n---\n"
            (self.manual / f"{number} {FILE}").write_text(f"{front}# {heading}\n\n{body}\n", encoding="utf-8")
        ingest([self.manual], self.settings, self.embedder)
        asked = AskedTurns(self.settings.turns_path)
        for number in range(3):
            asked.refused(f"{number} {hostile('question', self.leak)}?")
        run = self.settings.data_dir / "runs" / RUN
        run.mkdir(parents=True)
        identity = {"command": "answers", "knowledge": "default", "model": hostile("model", self.leak), "generation": 1}
        (run / "run.json").write_text(json.dumps(identity))
        (run / "figures.json").write_text(json.dumps({"n": 3, "accuracy": 0.5}))
        people = open_people(self.settings)
        people.audit.record(hostile("who", "")[:60], "published", hostile("about", "")[:120], generation=2)

    def pipeline(self) -> Pipeline:
        """Return a pipeline whose model says hostile things."""
        parts = super().pipeline().parts
        return Pipeline(replace(parts, gateway=parts.gateway.with_generator(self.generator)))

    def _says(self, messages: Sequence[Message]) -> list[GenerationPart]:
        return [GeneratedText(f"You have 30 days to return a kettle after delivery.\n\n{hostile('reply', self.leak)}")]


@cache
def library() -> HostileLibrary:
    """Return the one library of this process, filled."""
    made = HostileLibrary(Path(sys.argv[1]), sys.argv[3])
    made.fill()
    return made


@cache
def services() -> SharedServices:
    """Return the one set of services."""
    made, folder = library(), Path(sys.argv[1])
    SERVER.__enter__()
    name = hostile("model", made.leak)
    SERVER.models.append(name)
    settings: Settings = made.settings.changed(ollama_host=SERVER.url, model=STAND_IN, cache_dir=folder / "cache")
    people = open_people(settings)
    turns = TurnService(lambda base, user: made.pipeline(), TurnStore(settings.turns_path), 4)
    shared = made.services(turns)
    models = ModelRegistry(
        settings,
        made.jobs,
        record=recorder(people.audit),
        admission=Admission(1, 4),
        calibrations=Calibrations(settings, FakeCalibration().process),
    )
    return replace(
        shared,
        model=lambda: ModelState("ready", name, stand_in=True),
        topics=lambda base, language: (Topic(hostile("topic", made.leak), language),),
        people=people,
        models=models,
        reports=performance_reports(settings),
        corrections=lambda who: PersonalCorrections(lambda base: made.curation(), shared.bases, who, people.audit),
        writings=WritingService(lambda base, user: offline_parts(folder / "writer", generator=made.generator)),
    )


def application() -> st.App:
    """Return the product's own application around the page."""
    return DeskApplication(Path(__file__).with_name("hostile_page.py"), services)


if __name__ == "__main__":
    sys.modules["tests.ui.hostile_desk"] = sys.modules["__main__"]
    application().run(config=desk_configuration({"server.port": int(sys.argv[2])}))
